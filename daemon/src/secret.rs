//! Secrets that somebody types: asked for on a terminal, twice and unseen, and else the first
//! line of standard input. Used by every command that takes one.

use std::io::{self, BufRead, IsTerminal, Write};

use twinwall::failure::Failure;

use crate::system;

/// Asks for it. `prompt` stands before the cursor, `what` in an error.
pub(crate) fn ask(prompt: &str, what: &str) -> Result<String, Failure> {
    let broken = |error: io::Error| Failure::machine(format!("reading the {what}"), &error);
    if !io::stdin().is_terminal() {
        return line().map_err(broken);
    }
    let first = unseen(&format!("{prompt}: ")).map_err(broken)?;
    let second = unseen("The same again: ").map_err(broken)?;
    if first != second {
        return Err(Failure::problem(format!("the two differ; the {what} stays as it was")));
    }
    Ok(first)
}

fn unseen(prompt: &str) -> io::Result<String> {
    io::stderr().write_all(prompt.as_bytes())?;
    let quiet = system::Unseen::begin()?;
    let read = line();
    drop(quiet);
    io::stderr().write_all(b"\n")?;
    read
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A name as one part of a path. One that cannot be a name is refused by the agent, so only its
/// way there must hold.
pub(crate) fn in_path(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_of_the_path() {
        assert_eq!(in_path("anna"), "anna");
        assert_eq!(in_path("a/b?c"), "a%2Fb%3Fc");
    }
}

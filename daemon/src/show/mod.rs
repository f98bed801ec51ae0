//! How things look on a terminal and in a pipe. Words always; colour only on a
//! terminal that has it. Decides nothing.

mod status;
mod wrap;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use twinwall_core::api::Numbered;
use twinwall_core::explain::Answer;

use crate::system;
use twinwall::failure::Failure;

pub(crate) use status::status;

/// Whether and how to stress words.
pub(crate) struct Style {
    terminal: bool,
    colour: bool,
}

impl Style {
    /// As standard output bears it; `NO_COLOR` is honoured.
    pub(crate) fn of_terminal() -> Style {
        let terminal = io::stdout().is_terminal();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Style { terminal, colour: terminal && !dumb && !refused }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn bad(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    fn strong(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes text for people to standard output; on a terminal no line is longer than it.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match wrap::columns() {
        Some(width) => print_raw(&wrap::wrap(text, width)),
        None => print_raw(text),
    }
}

/// Writes what programs read, or what is to be copied, to standard output as it is.
pub(crate) fn print_raw(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::output(&error))
}

/// Writes a value as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| Failure::problem(error.to_string()))?;
    print_raw(&format!("{line}\n"))
}

/// One event on a line: when, its number, what.
pub(crate) fn event_line(event: &Numbered) -> String {
    format!("{}  {:>4}  {}\n", system::local_time(event.unix_ms), event.number, event.text)
}

/// The four questions and their answers.
pub(crate) fn explained(answers: &[Answer], style: &Style) -> String {
    let mut text = String::new();
    for (index, answer) in answers.iter().enumerate() {
        text += &format!("{}. {}\n", index + 1, style.strong(answer.question));
        for sentence in &answer.sentences {
            text += &format!("   {sentence}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_stresses_what_the_words_say_already() {
        let colour = Style { terminal: true, colour: true };
        let plain = Style { terminal: true, colour: false };
        for paint in [Style::good, Style::bad, Style::strong] {
            assert_eq!(paint(&plain, "ALARM"), "ALARM");
            let painted = paint(&colour, "ALARM");
            assert!(
                painted.starts_with("\x1b[") && painted.ends_with("ALARM\x1b[0m"),
                "{painted:?}"
            );
        }
    }
}

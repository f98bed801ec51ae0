//! The head of a line behind its time: host and program, as syslog and the journal write them.
//! Used by the reader of lines alone.

/// A line without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'t> {
    /// The program that wrote it, where the line names one.
    pub(super) program: Option<&'t str>,
    /// What stands behind the program's name; all of it where none is named.
    pub(super) message: &'t str,
    /// All of it.
    pub(super) whole: &'t str,
}

/// Parts host, program and message.
pub(super) fn split(rest: &str) -> Head<'_> {
    let whole = rest.trim_start();
    let (first, behind) = word(whole);
    if let Some(program) = program(first) {
        return Head { program: Some(program), message: behind, whole };
    }
    let (second, behind_second) = word(behind);
    if let (true, Some(program)) = (is_host(first), program(second)) {
        return Head { program: Some(program), message: behind_second, whole };
    }
    match structured(first, behind) {
        Some((program, message)) => Head { program: Some(program), message, whole },
        None => Head { program: None, message: whole, whole },
    }
}

fn word(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first, rest.trim_start())
}

/// `name:` or `name[123]:` is a program.
fn program(word: &str) -> Option<&str> {
    let name = word.strip_suffix(':')?;
    let name = match name.strip_suffix(']').and_then(|it| it.rsplit_once('[')) {
        Some((name, number)) if number.bytes().all(|it| it.is_ascii_digit()) => name,
        Some(_) => return None,
        None => name,
    };
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"_./@-".contains(&it);
    let named = !name.is_empty() && name.bytes().all(plain);
    (named && name.bytes().any(|it| it.is_ascii_alphabetic())).then_some(name)
}

fn is_host(word: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"._:-".contains(&it);
    !word.is_empty() && word.bytes().all(plain)
}

/// Host, program, number and kind of a message, and its structured data, in the syslog of
/// RFC 5424, section 6: `gw-a kea-dhcp4 123 - - text`.
fn structured<'t>(host: &str, rest: &'t str) -> Option<(&'t str, &'t str)> {
    let (name, rest) = word(rest);
    let (number, rest) = word(rest);
    let (_kind, rest) = word(rest);
    let numbered = number == "-" || number.bytes().all(|it| it.is_ascii_digit());
    if !is_host(host) || number.is_empty() || !numbered {
        return None;
    }
    let message = match rest.strip_prefix('[') {
        Some(data) => data.split_once(']')?.1,
        None => rest.strip_prefix('-')?,
    };
    Some((name, message.trim_start()))
}

//! Texts of logs for eyes: whoever can write a log line must not be able to move a terminal's
//! cursor, hide a word or turn the order of letters. Used by the command and the console's pages.

use std::borrow::Cow;

/// The text with every character that is not seen as it is written, as `\x1b` or `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for one in text.chars() {
        match u32::from(one) {
            _ if !is_unseen(one) => shown.push(one),
            code @ 0..=0xff => shown += &format!("\\x{code:02x}"),
            code => shown += &format!("\\u{{{code:x}}}"),
        }
    }
    Cow::Owned(shown)
}

/// Controls but the tabulator; what has no width; what turns the direction of what follows
/// (Unicode, UAX 9); what breaks a line.
fn is_unseen(one: char) -> bool {
    let of_format = matches!(
        one,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    of_format || (one.is_control() && one != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out_and_all_else_stays() {
        for (text, shown) in [
            ("DHCPACK\ton 10.0.0.5 ä 日本", "DHCPACK\ton 10.0.0.5 ä 日本"),
            ("\u{1b}[2J\u{7}", "\\x1b[2J\\x07"),
            ("a\r\nb\u{7f}\u{9b}31m", "a\\x0d\\x0ab\\x7f\\x9b31m"),
            ("user\u{202e}nimda\u{2066}", "user\\u{202e}nimda\\u{2066}"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("", ""),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }
}

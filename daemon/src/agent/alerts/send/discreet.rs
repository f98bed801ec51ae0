//! What the other end says becomes words of ours here, and only here: on one line, not too long,
//! and not at all where the target's secret is in it. A server may send back what it was sent, as
//! an echo of the address or of the sign-in; what is told goes to logs, to the API and to SNMP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Longest text that is told, in characters.
const MAX_TOLD: usize = 200;
/// Characters that are looked at: as many as are told, and a secret behind them in its longest
/// form, `\u0000` for each character.
const LOOKED_AT: usize = 8 << 10;
/// So many bytes of a secret in a row are as good as all of it: a server may send back a part.
const PART: usize = 12;

/// Knows the secret of a target, to keep it out of what is told.
#[derive(Clone, Copy)]
pub(super) struct Discreet<'a> {
    secret: Option<&'a str>,
}

impl<'a> Discreet<'a> {
    /// About this secret, if there is one.
    pub(super) fn of(secret: Option<&'a str>) -> Discreet<'a> {
        Discreet { secret }
    }

    /// What may be told of what was heard.
    pub(super) fn words(&self, heard: &str) -> String {
        let heard: String = heard.chars().take(LOOKED_AT).collect();
        if self.secret.is_some_and(|secret| holds(&heard, secret)) {
            return "(not told, for the secret is in it)".to_owned();
        }
        let plain = heard.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TOLD);
        plain.collect::<String>().trim().to_owned()
    }
}

/// Whether a text holds the secret, or a good part of it, in a form in which it may come back.
fn holds(heard: &str, secret: &str) -> bool {
    let bytes = secret.as_bytes();
    let parts: Vec<&[u8]> = match bytes.len() > PART {
        true => bytes.windows(PART).collect(),
        false => vec![bytes],
    };
    let views = [heard.to_owned(), without_percent(heard), without_backslash(heard)];
    let views = views.map(|view| squeezed(&view));
    // The alphabet for addresses has two letters of its own (RFC 4648, section 5).
    let encoded: String = heard.chars().filter(|c| !c.is_whitespace()).collect();
    let encoded = encoded.replace('-', "+").replace('_', "/");
    parts.into_iter().any(|part| {
        let plain = squeezed(&String::from_utf8_lossy(part).replace('\u{fffd}', ""));
        let in_plain = !plain.is_empty() && views.iter().any(|view| view.contains(&plain));
        in_plain || base64_forms(part).iter().any(|form| encoded.contains(form))
    })
}

/// Without what a server may add or change when it sends a text back: breaks of lines, blanks,
/// capital letters.
fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    kept.flat_map(char::to_lowercase).collect()
}

/// As it stands within a longer text in Base64: it may begin at each byte of a group of three,
/// as behind the user's name. The letters that its neighbours have a part in are left out.
fn base64_forms(part: &[u8]) -> Vec<String> {
    let forms = (0..3_usize).map(|before| {
        let text = STANDARD_NO_PAD.encode([&[0; 2][..before], part].concat());
        let first = (before * 8).div_ceil(6);
        let end = (before + part.len()) * 8 / 6;
        text.get(first..end).unwrap_or_default().to_owned()
    });
    forms.filter(|form| !form.is_empty()).collect()
}

/// With `%41` as the byte that it stands for (RFC 3986, section 2.1).
fn without_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// With `\"` and `\u0041` of JSON as what they stand for (RFC 8259, section 7).
fn without_backslash(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = behind.strip_prefix('u').and_then(|digits| digits.get(..4));
        let code = code.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(letter) = code.and_then(char::from_u32) {
            plain.push(letter);
            rest = &behind[5..];
            continue;
        }
        // The letter behind it stands for itself; a second backslash begins nothing.
        let mut letters = behind.chars();
        plain.extend(letters.next());
        rest = letters.as_str();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::alerts::secret;

    const SECRET: &str = "T0/B-1/x\"y\u{e4} z&5+Qq";

    fn is_told(heard: &str) -> bool {
        Discreet::of(Some(SECRET)).words(heard) == heard
    }

    #[test]
    fn a_text_with_the_secret_in_any_form_is_not_told() {
        let account = |user: &str| STANDARD_NO_PAD.encode(format!("\0{user}\0{SECRET}"));
        let mut forms = secret::forms(SECRET).to_vec();
        forms.extend(["g", "gw", "gwy"].map(account));
        forms.extend([
            SECRET.to_uppercase(),
            SECRET.replace('/', "\\/"),
            SECRET.replace('"', "\\u0022"),
            SECRET.replace('/', "%2f"),
            account("gw").replace('+', "-").replace('/', "_"),
            SECRET.replace("/x", "/\r\nx"),
            // A part of it.
            SECRET.chars().take(13).collect(),
        ]);
        for form in forms {
            let text = format!("no such path: /services/{form}: look at it");
            assert!(!is_told(&text), "{text}");
            let words = Discreet::of(Some(SECRET)).words(&text);
            assert!(!words.contains("services"), "{words}");
        }
        for other in ["535 5.7.8 wrong password", "nobody of T0/B", "", "a \\ at the end \\", "50%"]
        {
            assert!(is_told(other), "{other}");
        }
    }

    #[test]
    fn what_is_told_is_one_short_line_and_a_secret_behind_its_end_does_not_begin_in_it() {
        let told = Discreet::of(None).words(&format!(" a\r\nb{}", "\u{e4}".repeat(9000)));
        assert!(told.starts_with("a  b\u{e4}") && told.chars().count() <= MAX_TOLD, "{told}");
        let cut = format!("{}{}", "y".repeat(MAX_TOLD - 4), SECRET.replace(' ', "\\u0020"));
        assert!(!is_told(&cut));
    }

    #[test]
    fn a_short_secret_is_kept_too() {
        assert_eq!(Discreet::of(Some("hunter2")).words("hello"), "hello");
        for heard in ["Hunter2?", "aHVudGVyMg==", "%68unter2"] {
            assert_ne!(Discreet::of(Some("hunter2")).words(heard), heard);
        }
    }
}

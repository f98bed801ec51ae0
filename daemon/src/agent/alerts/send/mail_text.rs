//! The text of a mail (RFC 5322, RFC 2045 to 2047): its head, and a body in plain words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::mail::Letter;
use crate::agent::alerts::message::Word;
use crate::agent::moment::Moment;

/// Longest line of a body in characters (RFC 2045, section 6.7).
const MAX_LINE: usize = 76;
/// Bytes of a word in the head that is encoded: with what is around it no more than 75
/// characters (RFC 2047, section 2), and whole letters.
const WORD: usize = 42;

/// All of it, with line breaks as mail has them.
pub(super) fn text(letter: &Letter<'_>) -> String {
    let message = letter.message;
    let domain = letter.from.split_once('@').map_or("localhost", |(_, domain)| domain);
    let head = [
        format!("From: twinwall <{}>", letter.from),
        format!("To: {}", letter.to.join(",\r\n ")),
        format!("Subject: {}", in_head(&message.headline())),
        format!("Date: {}", date(message.at_ms)),
        format!("Message-ID: <{}@{domain}>", plain_id(&message.id)),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: quoted-printable".to_owned(),
        // So that no holiday notice answers (RFC 3834, section 5).
        "Auto-Submitted: auto-generated".to_owned(),
    ];
    let mut text = head.join("\r\n");
    text.push_str("\r\n\r\n");
    text.push_str(&quoted(&body(letter)));
    text
}

fn body(letter: &Letter<'_>) -> String {
    let message = letter.message;
    let mut body = format!("{}\n\n", message.text);
    if message.kind != Word::Cleared && message.kind != Word::Test {
        body += &format!("What now: {}.\n\n", message.what_now);
    }
    if let Some(words) = message.left_out_words() {
        body += &format!("{words}\n\n");
    }
    let subject = message.subject.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    body + &format!(
        "condition  {}{subject} ({})\nseverity   {}\nnode       {}\nseen       {}\npair       {}\n\
         sent by    {}\n",
        message.condition,
        message.kind.name(),
        message.severity.word(),
        message.node,
        Moment::of(message.at_ms).text,
        message.pair_id,
        message.sent_by
    )
}

/// A text in the head: as it is where that is plain, else in encoded words.
fn in_head(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.chars().all(plain) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        let full = words.last().is_none_or(|word| word.len() + c.len_utf8() > WORD);
        if full {
            words.push(String::new());
        }
        words.iter_mut().last().into_iter().for_each(|word| word.push(c));
    }
    let encoded = |word: &String| format!("=?utf-8?B?{}?=", STANDARD.encode(word));
    words.iter().map(encoded).collect::<Vec<_>>().join("\r\n ")
}

fn plain_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// RFC 5322, section 3.3.
pub(super) fn date(unix_ms: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // 2026-11-29 16:12:29 UTC
    let text = Moment::of(unix_ms).text;
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| month.checked_sub(1));
    let month = month.and_then(|month| MONTHS.get(month)).copied().unwrap_or_default();
    let day = DAYS[usize::try_from(unix_ms / 86_400_000 % 7).unwrap_or_default()];
    format!("{day}, {} {month} {} {} +0000", part(8, 10), part(0, 4), part(11, 19))
}

/// RFC 2045, section 6.7.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for line in text.split_terminator('\n') {
        let mut length = 0;
        let bytes = line.as_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            let is_last = index + 1 == bytes.len();
            let blank = *byte == b' ' && !is_last;
            let piece = match byte {
                b'=' => "=3D".to_owned(),
                33..=126 => char::from(*byte).to_string(),
                _ if blank => " ".to_owned(),
                other => format!("={other:02X}"),
            };
            // One character is left for the sign of a line that goes on.
            if length + piece.len() >= MAX_LINE {
                quoted.push_str("=\r\n");
                length = 0;
            }
            length += piece.len();
            quoted.push_str(&piece);
        }
        quoted.push_str("\r\n");
    }
    quoted
}

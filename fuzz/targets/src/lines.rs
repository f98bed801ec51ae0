//! What logs hold: lines of services of this node and the other one, as whoever can reach such a
//! service makes it write them; and what a form asks for.

use twinwall::agent::logs::parse::{Format, MAX_FIELD, parse_line, written};
use twinwall::agent::logs::search::Cursor;
use twinwall::agent::logs::visible::visible;

/// A line. The first byte says what its source is said to be, the eight behind it when it was
/// read, and four its zone.
pub fn line(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let Some((read, rest)) = rest.split_first_chunk() else { return };
    let Some((zone, rest)) = rest.split_first_chunk() else { return };
    let (read_us, zone_s) = (u64::from_le_bytes(*read), i32::from_le_bytes(*zone));
    let text = String::from_utf8_lossy(rest);
    let hint = Format::ALL.get(usize::from(*kind)).copied();
    let parsed = parse_line(&text, hint, read_us, zone_s);
    let stamp = written(&text, read_us, zone_s);
    assert_eq!(parsed.at_us, stamp.map(|(at_us, _)| at_us));
    if let Some((_, length)) = stamp {
        assert!(text.is_char_boundary(length) && text[..length].is_ascii(), "{text:?}");
    }
    for (name, value) in parsed.fields.iter().flat_map(|fields| fields.shown()) {
        let least = name == "for" || value.len() <= MAX_FIELD;
        assert!(least && !value.is_empty(), "{name}: {value:?}");
    }
    let shown = visible(&text);
    assert!(!shown.chars().any(|it| it.is_control() && it != '\t'), "{shown:?}");
    assert_eq!(visible(&shown), shown, "what is seen is seen as it is");
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
}

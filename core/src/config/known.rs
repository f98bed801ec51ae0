//! Which keys there are, for whoever changes single ones: asked before a change is written
//! into a file, so that a slip of the finger makes no section.

use super::document::{MAX_EDITS, edits};
use super::keys;

/// The keys of `pair.toml` as `heartbeat.interval`, those of an interface as
/// `interface.NAME.virtual`.
pub fn pair_keys() -> Vec<String> {
    let key = |key: &&dyn keys::Described| match key.section() {
        "" => key.name().to_owned(),
        section if section.starts_with('[') => {
            format!("{}.NAME.{}", section.trim_matches(['[', ']']), key.name())
        }
        section => format!("{section}.{}", key.name()),
    };
    keys::PAIR.iter().map(key).collect()
}

/// The one of these that was meant, where a few letters make the difference.
pub fn nearest<'k>(word: &str, known: &'k [String]) -> Option<&'k str> {
    let near = known.iter().map(|name| (edits(word, name), name.as_str())).min()?;
    (near.0 <= MAX_EDITS && near.0 < near.1.len()).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_a_change_names_them_and_slips_are_understood() {
        let keys = pair_keys();
        for key in ["pair_id", "heartbeat.interval", "interface.NAME.virtual"] {
            assert!(keys.iter().any(|known| known == key), "{key}: {keys:?}");
        }
        assert_eq!(nearest("hearbeat.intervall", &keys), Some("heartbeat.interval"));
        assert_eq!(nearest("foo", &keys), None);
    }
}

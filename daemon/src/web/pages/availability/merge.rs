//! Two administrators at one page: what the second one typed, on top of what the first one
//! saved meanwhile. A field that only one of them changed is taken from him; where both did,
//! what was typed stays, and the other value is shown beside it.

use std::collections::BTreeMap;

use super::fields::Fields;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) fields: Fields,
    /// The other's value, for each field that both changed.
    pub(super) theirs: BTreeMap<String, String>,
}

/// `base`: what the second one started from; none where it is not known any more, so that
/// whatever differs may have been changed by both.
pub(super) fn merge(base: Option<&Fields>, typed: &Fields, saved: &Fields) -> Merged {
    let mut merged = Merged { fields: saved.clone(), theirs: BTreeMap::new() };
    for (key, mine) in typed {
        let value = |fields: &Fields| fields.get(key).cloned().unwrap_or_default();
        let (now, before) = (value(saved), base.map(value));
        if *mine == now || before.as_ref() == Some(mine) {
            continue;
        }
        if before.as_ref() != Some(&now) {
            merged.theirs.insert(key.clone(), now);
        }
        merged.fields.insert(key.clone(), mine.clone());
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_one_of_them_changed_is_taken_and_what_both_changed_is_told() {
        let base = fields(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]);
        let typed =
            fields(&[("a", "1"), ("b", "2"), ("c", "2"), ("d", "1"), ("e", "2"), ("new", "x")]);
        let saved = fields(&[("a", "1"), ("b", "1"), ("c", "3"), ("d", "3"), ("e", "2")]);
        let merged = merge(Some(&base), &typed, &saved);
        let wanted =
            fields(&[("a", "1"), ("b", "2"), ("c", "2"), ("d", "3"), ("e", "2"), ("new", "x")]);
        assert_eq!(merged.fields, wanted);
        assert_eq!(merged.theirs, fields(&[("c", "3")]));
    }

    #[test]
    fn without_what_it_was_made_from_nothing_that_was_typed_is_lost() {
        let (typed, saved) = (fields(&[("a", "1"), ("b", "2")]), fields(&[("a", "1"), ("b", "3")]));
        let merged = merge(None, &typed, &saved);
        assert_eq!((merged.fields, merged.theirs), (typed, fields(&[("b", "3")])));
    }
}

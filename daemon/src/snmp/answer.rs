//! Answers snmpd's questions: from the objects of TWINWALL-MIB in the default context, from a
//! node's own ones in its context. Everything is read-only.

use std::sync::Arc;

use super::agentx::{Range, Said, Varbind};
use super::held::Held;
use super::mib::{self, Tree};
use super::remote::Remote;
use crate::agent::snmp::value::{Oid, Value};
use crate::agent::snmp::view::{Context, Which};
use crate::web::agent::Agent;

/// What could not be done, as RFC 2741 and RFC 3416 number it.
pub(super) mod error {
    pub(in super::super) const GENERAL: u16 = 5;
    pub(in super::super) const NOT_WRITABLE: u16 = 17;
    pub(in super::super) const UNKNOWN_CONTEXT: u16 = 262;
}

/// Values in one answer at the most: more do not fit a datagram.
const MAX_VALUES: usize = 1024;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Why there is none, or 0.
    pub(super) error: u16,
    /// At which of the objects, from 1.
    pub(super) index: u16,
    pub(super) varbinds: Vec<Varbind>,
}

/// Who answers.
pub(super) struct Answering {
    own: Held,
    here: Remote,
    there: Remote,
}

/// Whose objects a context has.
enum Source<'a> {
    Own(Arc<Tree>),
    Node(&'a Remote),
}

impl Answering {
    pub(super) fn by(agent: &Agent) -> Answering {
        Answering {
            own: Held::of(agent.clone()),
            here: Remote::of(agent.clone(), Which::Here),
            there: Remote::of(agent.clone(), Which::There),
        }
    }

    /// The answer to a question; none where snmpd wants none.
    pub(super) async fn answer(&self, said: Said, contexts: &[Context]) -> Option<Answer> {
        match said {
            Said::Get { context, ranges } => {
                let names: Vec<Oid> = ranges.into_iter().map(|range| range.start).collect();
                Some(match self.source(&context, contexts).await {
                    Ok(source) => source.get(names).await,
                    Err(error) => refused(error),
                })
            }
            Said::GetNext { context, ranges } => {
                let single = ranges.len();
                Some(self.bulk(&context, contexts, ranges, single, 0).await)
            }
            Said::GetBulk { context, single, repetitions, ranges } => {
                Some(self.bulk(&context, contexts, ranges, single, repetitions).await)
            }
            Said::TestSet => Some(refused(error::NOT_WRITABLE)),
            // They only follow a test that was passed.
            Said::CommitSet | Said::UndoSet => Some(refused(error::GENERAL)),
            Said::CleanupSet | Said::Response { .. } | Said::Close => None,
        }
    }

    async fn source(&self, context: &str, contexts: &[Context]) -> Result<Source<'_>, u16> {
        if context.is_empty() {
            return self.own.tree().await.map(Source::Own).ok_or(error::GENERAL);
        }
        let node = contexts.iter().find(|it| it.name == context).map(|it| it.node);
        match node {
            Some(Which::Here) => Ok(Source::Node(&self.here)),
            Some(Which::There) => Ok(Source::Node(&self.there)),
            None => Err(error::UNKNOWN_CONTEXT),
        }
    }

    /// One value of the first ranges, several of the others (RFC 2741, section 7.2.3).
    async fn bulk(
        &self,
        context: &str,
        contexts: &[Context],
        ranges: Vec<Range>,
        single: usize,
        repetitions: usize,
    ) -> Answer {
        let source = match self.source(context, contexts).await {
            Ok(source) => source,
            Err(error) => return refused(error),
        };
        let mut varbinds = Vec::new();
        let single = single.min(ranges.len());
        for (place, range) in ranges[..single].iter().enumerate() {
            match source.next(range).await {
                Ok(found) => varbinds.push(found),
                Err(error) => return Answer { index: place as u16 + 1, ..refused(error) },
            }
        }
        let mut others: Vec<Range> = ranges[single..].to_vec();
        for _ in 0..repetitions {
            if varbinds.len() + others.len() > MAX_VALUES {
                break;
            }
            let mut is_over = true;
            for (place, range) in others.iter_mut().enumerate() {
                let found = match source.next(range).await {
                    Ok(found) => found,
                    Err(error) => {
                        return Answer { index: (single + place) as u16 + 1, ..refused(error) };
                    }
                };
                is_over &= !found.1.is_there();
                (range.start, range.inclusive) = (found.0.clone(), false);
                varbinds.push(found);
            }
            if is_over {
                break;
            }
        }
        Answer { varbinds, ..Answer::default() }
    }
}

impl Source<'_> {
    async fn get(&self, names: Vec<Oid>) -> Answer {
        let values = match self {
            Source::Own(tree) => names.iter().map(|name| own(tree, name)).collect(),
            Source::Node(remote) => match remote.get(&names).await {
                Ok(values) => values,
                Err(_) => return Answer { index: 1, ..refused(error::GENERAL) },
            },
        };
        Answer { varbinds: names.into_iter().zip(values).collect(), ..Answer::default() }
    }

    /// The first value in a range, or that there is none.
    async fn next(&self, range: &Range) -> Result<Varbind, u16> {
        let found = match self {
            Source::Own(tree) => {
                let mut from = tree.range::<Oid, _>(&range.start..);
                from.find(|(name, _)| range.inclusive || **name != range.start)
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .filter(|(name, _)| range.holds(name))
            }
            Source::Node(remote) => {
                remote.next(range).await.map_err(|super::remote::Away| error::GENERAL)?
            }
        };
        Ok(found.unwrap_or_else(|| (range.start.clone(), Value::End)))
    }
}

fn own(tree: &Tree, name: &Oid) -> Value {
    match tree.get(name) {
        Some(value) => value.clone(),
        None if mib::has_object(name) => Value::NoInstance,
        None => Value::NoObject,
    }
}

fn refused(error: u16) -> Answer {
    Answer { error, ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(text: &str) -> Oid {
        text.parse().expect("a name")
    }

    fn source() -> Source<'static> {
        let names = ["1.1", "1.2", "2.1"];
        let tree: Tree = names.iter().map(|name| (oid(name), Value::text(name))).collect();
        Source::Own(Arc::new(tree))
    }

    #[tokio::test]
    async fn the_next_value_is_the_first_one_in_the_range() {
        let range = |start: &str, inclusive, end: &str| Range {
            start: oid(start),
            inclusive,
            end: oid(end),
        };
        for (range, expected) in [
            (range("1", false, ""), Some("1.1")),
            (range("1.1", true, ""), Some("1.1")),
            (range("1.1", false, ""), Some("1.2")),
            (range("1.2", false, ""), Some("2.1")),
            (range("1.2", false, "2"), None),
            (range("2.1", false, ""), None),
        ] {
            let (name, value) = source().next(&range).await.expect("no error");
            match expected {
                Some(expected) => assert_eq!(name, oid(expected), "{range:?}"),
                None => assert_eq!((name, value), (range.start.clone(), Value::End), "{range:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_value_that_is_not_there_is_told_as_that() {
        let answer = source().get(vec![oid("1.2"), oid("1.3")]).await;
        assert_eq!(answer.error, 0);
        assert_eq!(answer.varbinds[0], (oid("1.2"), Value::text("1.2")));
        assert_eq!(answer.varbinds[1], (oid("1.3"), Value::NoObject));
    }
}

//! A node's own objects, through the agents: what a walk will want next is fetched along with
//! what it wants now, and held for a second. It never asks an SNMP agent itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::agentx::Range;
use crate::agent::api::snmp::ASK;
use crate::agent::snmp::value::{Oid, Value};
use crate::agent::snmp::view::{Answered, Which};
use crate::web::agent::Agent;

/// For so long a value is as good as new.
const FRESH: Duration = Duration::from_secs(1);
/// After a failure nobody is asked for so long: a walk over a dead node ends at once.
const PAUSE: Duration = Duration::from_secs(1);
/// Values that are fetched along.
const AHEAD: u16 = 32;
/// Runs that are held: a manager that reads a table asks for its columns side by side.
const MAX_RUNS: usize = 32;
/// How long the agent may take: it asks the other one, which asks its snmpd.
const PATIENCE: Duration = Duration::from_secs(3);

/// The objects of a node.
pub(super) struct Remote {
    agent: Agent,
    node: Which,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    runs: VecDeque<Run>,
    failed: Option<Instant>,
}

/// All values after a name, up to the last of them.
struct Run {
    at: Instant,
    /// After this one.
    start: Oid,
    values: Vec<(Oid, Value)>,
}

/// The node, or its snmpd, does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away;

impl Remote {
    pub(super) fn of(agent: Agent, node: Which) -> Remote {
        Remote { agent, node, held: Mutex::default() }
    }

    /// The values of these names, in their order.
    pub(super) async fn get(&self, names: &[Oid]) -> Result<Vec<Value>, Away> {
        let mut held = self.held.lock().await;
        let all: Vec<String> = names.iter().map(ToString::to_string).collect();
        let answered = self.ask(&mut held, &format!("get={}", all.join(","))).await?;
        let value = |name: &Oid| {
            let found = answered.got.iter().find(|binding| binding.name == *name);
            found.map_or(Value::NoInstance, |binding| binding.value.clone())
        };
        Ok(names.iter().map(value).collect())
    }

    /// The first value in a range; none where there is none.
    pub(super) async fn next(&self, range: &Range) -> Result<Option<(Oid, Value)>, Away> {
        let mut held = self.held.lock().await;
        held.forget();
        if !range.inclusive {
            for run in &held.runs {
                match run.after(&range.start) {
                    Found::Unknown => {}
                    Found::End => return Ok(None),
                    Found::Next(name, value) if range.holds(name) => {
                        return Ok(Some((name.clone(), value.clone())));
                    }
                    Found::Next(..) => return Ok(None),
                }
            }
        }
        let mut question = format!("after={}&repetitions={AHEAD}", range.start);
        if range.inclusive {
            question += &format!("&get={}", range.start);
        }
        let answered = self.ask(&mut held, &question).await?;
        let own = answered.got.into_iter().find(|binding| binding.value.is_there());
        let first = own.map(|binding| (binding.name, binding.value));
        let run = Run::new(range.start.clone(), answered.following);
        let next = run.values.first().filter(|(_, value)| value.is_there()).cloned();
        held.runs.push_back(run);
        let surplus = held.runs.len().saturating_sub(MAX_RUNS);
        held.runs.drain(..surplus);
        Ok(first.or(next).filter(|(name, _)| range.holds(name)))
    }

    async fn ask(&self, held: &mut Held, question: &str) -> Result<Answered, Away> {
        if held.failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(Away);
        }
        let node = match self.node {
            Which::Here => "here",
            Which::There => "there",
        };
        let path = format!("{ASK}?node={node}&{question}");
        match timeout(PATIENCE, self.agent.get::<Answered>(&path)).await {
            Ok(Ok(answered)) => {
                held.failed = None;
                Ok(answered)
            }
            Ok(Err(_)) | Err(_) => {
                held.failed = Some(Instant::now());
                Err(Away)
            }
        }
    }
}

impl Held {
    fn forget(&mut self) {
        self.runs.retain(|run| run.at.elapsed() < FRESH);
    }
}

impl Run {
    /// Ends where the order of names does: an agent that repeats itself is not walked for ever.
    fn new(start: Oid, following: Vec<crate::agent::snmp::value::Binding>) -> Run {
        let mut values: Vec<(Oid, Value)> = Vec::new();
        for binding in following {
            let before = values.last().map_or(&start, |(name, _)| name);
            let is_end = !binding.value.is_there();
            if !is_end && binding.name <= *before {
                break;
            }
            values.push((binding.name, binding.value));
            if is_end {
                break;
            }
        }
        Run { at: Instant::now(), start, values }
    }

    /// What comes after a name.
    fn after(&self, name: &Oid) -> Found<'_> {
        if *name < self.start {
            return Found::Unknown;
        }
        for (other, value) in &self.values {
            if !value.is_there() {
                return Found::End;
            }
            if other > name {
                return Found::Next(other, value);
            }
        }
        Found::Unknown
    }
}

/// What a run says of what comes after a name.
#[derive(Debug, PartialEq, Eq)]
enum Found<'a> {
    /// It does not know.
    Unknown,
    /// Nothing.
    End,
    /// This.
    Next(&'a Oid, &'a Value),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::snmp::value::Binding;

    fn oid(text: &str) -> Oid {
        text.parse().expect("a name")
    }

    fn run(start: &str, names: &[&str], ends: bool) -> Run {
        let one = |name: &&str| Binding { name: oid(name), value: Value::Gauge(1) };
        let mut following: Vec<Binding> = names.iter().map(one).collect();
        if ends {
            following.push(Binding { name: oid("1.9"), value: Value::End });
        }
        Run::new(oid(start), following)
    }

    #[test]
    fn a_run_answers_for_what_lies_in_it_and_for_nothing_else() {
        let next = |run: &Run, name: &str| match run.after(&oid(name)) {
            Found::Next(name, _) => name.to_string(),
            other => format!("{other:?}"),
        };
        let part = run("1.3", &["1.3.1", "1.3.5"], false);
        for (name, expected) in [
            ("1.3", "1.3.1"),
            ("1.3.1", "1.3.5"),
            ("1.3.2", "1.3.5"),
            ("1.3.5", "Unknown"),
            ("1.2", "Unknown"),
        ] {
            assert_eq!(next(&part, name), expected, "{name}");
        }
        assert_eq!(next(&run("1.3", &["1.3.1"], true), "1.3.1"), "End");
    }

    #[test]
    fn an_agent_that_goes_back_is_not_followed() {
        let looping = run("1.3", &["1.3.5", "1.3.1", "1.3.9"], false);
        assert_eq!(looping.values.len(), 1);
        assert_eq!(run("1.3.5", &["1.3.5"], false).values.len(), 0);
    }
}

//! How the replication of connections is, as one value: the API, the command, the console and
//! the fact for the guard are views of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::CONNECTIONS_LIMIT;
use twinwall_core::explain::span;

pub use twinwall_flows::view::{LagMs, Part, Resync, View};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlowsView {
    /// What the thread that does it says.
    #[serde(flatten)]
    pub now: View,
    /// Seconds for which this node has done this part.
    pub since_s: f64,
}

/// A part for people.
pub fn words(part: Part) -> &'static str {
    match part {
        Part::Source => "source",
        Part::Mirror => "mirror",
        Part::Off => "off",
    }
}

impl FlowsView {
    /// How it stands, in a sentence.
    pub fn sentence(&self) -> String {
        let now = &self.now;
        if let Some(trouble) = &now.trouble {
            return format!("{}.", trouble.trim_end_matches('.'));
        }
        match (now.part, now.complete_percent.map(share)) {
            (Part::Off, _) => "Connections are not replicated.".to_owned(),
            (Part::Source, None) => {
                format!("{} connections; the other node has not compared them yet.", now.flows)
            }
            (Part::Mirror, None) => {
                "The active node's connections are not compared yet.".to_owned()
            }
            (Part::Source, Some(share)) => {
                format!("The other node has {share} of {} connections.", now.flows)
            }
            (Part::Mirror, Some(share)) => {
                let all = now.peer_flows.unwrap_or(now.flows);
                format!("This node has {share} of the active node's {all} connections.")
            }
        }
    }

    /// What to know before the role is moved on purpose; none where every connection goes on
    /// as far as this node, the active one, knows.
    pub fn before_a_move(&self) -> Option<String> {
        let (source, whole) = (self.now.part == Part::Source, self.is_complete());
        let limit = span(CONNECTIONS_LIMIT);
        (source && !whole).then(|| {
            format!(
                "Connections: {} The move comes all the same, after {limit} at the latest; a \
                 connection that the other node lacks then stalls. To lose none, move the role \
                 once it has all of them.",
                self.sentence()
            )
        })
    }

    /// Whether what it says of all of them was found by comparing, or follows from what was
    /// told.
    pub fn comparison(&self) -> &'static str {
        match (self.now.compared, self.now.complete_percent) {
            (true, _) => "yes, group by group",
            (false, Some(_)) => "not yet: what was missed was told, and all is being compared",
            (false, None) => "not yet",
        }
    }

    /// Whether the passive has all that it should have.
    pub fn is_complete(&self) -> bool {
        self.now.complete_percent.is_some_and(|percent| percent >= 100.0)
    }
}

/// Never 'all' while one is missing.
fn share(percent: f64) -> String {
    if percent >= 100.0 {
        return "all".to_owned();
    }
    format!("{:.1} %", (percent.max(0.0) * 10.0).floor() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_moves_the_role_is_told_why_connections_would_be_lost() {
        let view = |part, complete_percent, trouble: Option<&str>| FlowsView {
            now: View {
                part,
                complete_percent,
                flows: 7,
                trouble: trouble.map(str::to_owned),
                ..View::default()
            },
            since_s: 1.0,
        };
        let apart = view(Part::Source, None, Some("no connection to the other node"));
        let told = apart.before_a_move().expect("it is told");
        assert!(told.contains("Connections: no connection to the other node."), "{told}");
        assert!(told.contains("after 30 s at the latest"), "{told}");
        let some = view(Part::Source, Some(99.99), None).before_a_move();
        assert!(some.is_some_and(|told| told.contains("99.9 % of 7")));
        for (part, share) in [(Part::Source, Some(100.0)), (Part::Off, None), (Part::Mirror, None)]
        {
            assert_eq!(view(part, share, None).before_a_move(), None);
        }
    }

    #[test]
    fn a_sentence_for_each_state_and_never_all_while_one_is_missing() {
        let view = |part, complete_percent| FlowsView {
            now: View { part, complete_percent, flows: 7, peer_flows: Some(8), ..View::default() },
            since_s: 1.0,
        };
        let mut troubled = view(Part::Mirror, None);
        troubled.now.trouble = Some("no conntrack".to_owned());
        for (view, sentence) in [
            (view(Part::Off, None), "Connections are not replicated."),
            (view(Part::Source, None), "7 connections; the other node has not compared them yet."),
            (view(Part::Source, Some(100.0)), "The other node has all of 7 connections."),
            (view(Part::Source, Some(99.99)), "The other node has 99.9 % of 7 connections."),
            (
                view(Part::Mirror, Some(50.0)),
                "This node has 50.0 % of the active node's 8 connections.",
            ),
            (troubled, "no conntrack."),
        ] {
            assert_eq!(view.sentence(), sentence);
        }
    }
}

//! The task of one probe: what to ask by the role, at each tick, and the answers as they come.

use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::sync::Weak;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use twinwall_core::beat::RoleWord;

use super::echo::Echo;
use super::track::Track;
use super::{Now, Part};
use crate::agent::clock::unix_us;
use crate::agent::guard::GuardState;
use crate::agent::netconf::live;
use crate::agent::node::Node;

/// A virtual IP and how it is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) interface: String,
    pub(super) virtual_ip: IpAddr,
    /// This node's own address in its network.
    pub(super) own: Option<IpAddr>,
    /// A machine of its network.
    pub(super) target: Option<IpAddr>,
    pub(super) interval: Duration,
}

impl Lane {
    /// What the role has it do; none while nobody says what the role is.
    fn part(&self, guard: &GuardState) -> Option<Part> {
        let role = guard.status()?.snapshot.role.role;
        Some(match role {
            RoleWord::Starting => Part::Idle,
            RoleWord::Passive | RoleWord::Claiming => Part::Watching,
            RoleWord::Active | RoleWord::Releasing if self.target.is_some() => Part::Serving,
            RoleWord::Active | RoleWord::Releasing => Part::Idle,
        })
    }

    /// From which address to which.
    fn ends(&self, part: Part) -> Option<(IpAddr, IpAddr)> {
        match part {
            Part::Idle => None,
            Part::Watching => self.own.map(|own| (own, self.virtual_ip)),
            Part::Serving => self.target.map(|target| (self.virtual_ip, target)),
        }
    }

    /// Whether this node's own kernel has the virtual IP.
    fn is_ours(&self) -> bool {
        live::held(&self.interface)
            .is_ok_and(|held| held.iter().any(|prefix| prefix.address == self.virtual_ip))
    }

    /// Why nothing is asked in this part.
    fn lacks(&self, part: Part) -> Option<String> {
        let (interface, address) = (&self.interface, self.virtual_ip);
        match part {
            Part::Watching if self.own.is_none() => Some(format!(
                "this node has no own address in the network of {address} on {interface}; give it \
                 one (primary, secondary), or probe another virtual IP"
            )),
            Part::Idle | Part::Watching | Part::Serving => None,
        }
    }
}

/// What the task has.
struct Pinging {
    lane: Lane,
    part: Part,
    track: Track,
    echo: Option<Echo>,
    trouble: Option<String>,
}

/// Probes until it is ended, or the node is gone.
pub(super) async fn ping(node: Weak<Node>, lane: Lane) {
    let mut due = interval(lane.interval);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let track = Track::new(lane.interval);
    let mut pinging = Pinging { lane, part: Part::Idle, track, echo: None, trouble: None };
    loop {
        let answered = tokio::select! {
            _ = due.tick() => None,
            answer = next(pinging.echo.as_ref()) => Some(answer),
        };
        let Some(node) = node.upgrade() else { return };
        match answered {
            None => pinging.tick(&node),
            Some(answer) => pinging.answered(&node, answer),
        }
        let Pinging { lane, part, track, trouble, .. } = &pinging;
        let (lane, track, trouble) = (lane.clone(), track.clone(), trouble.clone());
        node.probes().set(Now { lane, part: *part, track, trouble });
    }
}

async fn next(echo: Option<&Echo>) -> io::Result<()> {
    match echo {
        Some(echo) => echo.answer().await,
        None => pending().await,
    }
}

impl Pinging {
    fn tick(&mut self, node: &Node) {
        let guard = node.guard();
        let part = self.lane.part(&guard.borrow()).unwrap_or(self.part);
        if part != self.part {
            (self.part, self.echo) = (part, None);
            if self.lane.ends(part).is_none() {
                let silence = self.track.ceased(unix_us(), &node.settings().name);
                silence.into_iter().for_each(|silence| node.probes().add(silence));
            }
        }
        self.trouble = self.lane.lacks(part);
        let Some((from, to)) = self.lane.ends(part) else { return };
        // The virtual IP is there a moment after the role, and gone one before: tried again.
        self.track.asked(unix_us());
        if let Err(error) = self.ask(from, to) {
            self.echo = None;
            self.trouble = Some(format!("{to} cannot be asked from {from}: {error}"));
        }
    }

    fn ask(&mut self, from: IpAddr, to: IpAddr) -> io::Result<()> {
        match &mut self.echo {
            Some(echo) => echo.ask(),
            None => self.echo.insert(Echo::open(&self.lane.interface, from, to)?).ask(),
        }
    }

    fn answered(&mut self, node: &Node, answer: io::Result<()>) {
        match (answer, &self.echo) {
            (Ok(()), Some(echo)) => {
                let (who, now, name) = (echo.to().to_string(), unix_us(), &node.settings().name);
                let silent = self.track.going_on(now, name).is_some();
                if silent && self.part == Part::Watching && self.lane.is_ours() {
                    // This kernel answers itself a moment before the role is told: the network
                    // has not heard of it yet.
                    return;
                }
                let silence = self.track.answered(now, &who, name);
                silence.into_iter().for_each(|silence| node.probes().add(silence));
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                self.echo = None;
                self.trouble = Some(format!("the answers cannot be read: {error}"));
            }
        }
    }
}

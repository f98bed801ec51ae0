//! What the live view shows, as a value: taken from the lab at each beat of the
//! screen, drawn by [`super::view`].

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use twinwall_core::ids::BootId;

use super::pulse::Cell;
use crate::gateway::Gateway;
use crate::lab::Lab;
use crate::plan;
use crate::product::Seen;
use crate::product::guard::Client;
use crate::traffic::connections::ConnectionsSeen;

/// Cells of the strip: more than any terminal is wide.
const STRIP: usize = 400;
/// How often a guard is asked for its status.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// One gateway as drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct NodePicture {
    pub(super) name: &'static str,
    pub(super) part: &'static str,
    /// The role in capitals, or what is wrong.
    pub(super) role: String,
    pub(super) detail: String,
    pub(super) active: bool,
    /// Nothing runs there, or it does not answer.
    pub(super) silent: bool,
    /// Carrier of LAN, HA, WAN.
    pub(super) carrier: [bool; 3],
}

/// Everything on the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) look_inside: String,
    /// Where a browser finds the consoles.
    pub(super) consoles: String,
    pub(super) nodes: [NodePicture; 2],
    /// Who answers for the LAN's VIP, as the client sees it.
    pub(super) owner: Option<usize>,
    /// How the configuration of both stands; empty where nobody keeps it alike.
    pub(super) configuration: String,
    /// What becomes of long-lived connections, since the last fault that is watched.
    pub(super) connections: Option<ConnectionsSeen>,
    pub(super) strip: VecDeque<Cell>,
    pub(super) sent: u64,
    pub(super) lost: u64,
    /// What the lab does now.
    pub(super) doing: String,
    /// The last fault's report.
    pub(super) report: Vec<String>,
}

impl Picture {
    /// Adds what the client saw.
    pub(super) fn add(&mut self, cells: Vec<Cell>, owner: Option<usize>) {
        for cell in cells {
            self.sent += u64::from(cell.sent);
            self.lost += u64::from(cell.lost);
            if self.strip.len() == STRIP {
                self.strip.pop_front();
            }
            self.strip.push_back(cell);
        }
        self.owner = owner.or(self.owner);
    }
}

/// Asks one guard for its state all the time, on a thread of its own: a guard that
/// hangs must not hang the screen.
pub(super) struct Asked(Arc<Mutex<Answered>>);

/// What it said last.
#[derive(Clone)]
struct Answered {
    seen: Seen,
    detail: String,
    /// Its run, where it answered.
    run: Option<BootId>,
}

impl Asked {
    pub(super) fn start(client: Client) -> Asked {
        let seen = Seen::Silent("not asked yet".into());
        let latest = Arc::new(Mutex::new(Answered { seen, detail: String::new(), run: None }));
        let weak = Arc::downgrade(&latest);
        thread::spawn(move || {
            // Ends when nobody looks any more.
            while let Some(latest) = weak.upgrade() {
                let answer = ask(&client);
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = answer;
                drop(latest);
                thread::sleep(ASK_EVERY);
            }
        });
        Asked(latest)
    }

    /// The guard's run, where it answered.
    pub(super) fn run(&self) -> Option<BootId> {
        self.latest().run
    }

    fn latest(&self) -> Answered {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ask(client: &Client) -> Answered {
    match client.status() {
        Ok(status) => {
            let (role, run) = (&status.snapshot.role, Some(status.snapshot.boot));
            let detail = format!("epoch {}: {}", role.epoch, role.reason);
            Answered { seen: client.seen(), detail, run }
        }
        Err(_) => Answered { seen: client.seen(), detail: String::new(), run: None },
    }
}

/// The gateways as they are now. `asked` is empty for keepalived, which is seen directly.
pub(super) fn nodes(lab: &mut Lab, asked: &[Asked]) -> [NodePicture; 2] {
    let [a, b] = &mut lab.gateways;
    [node(a, asked.first()), node(b, asked.get(1))]
}

fn node(gateway: &mut Gateway, asked: Option<&Asked>) -> NodePicture {
    let (seen, detail) = match (gateway.why_silent(), asked) {
        (Some(why), _) => (Seen::Silent(why.to_owned()), String::new()),
        (None, Some(asked)) => {
            let Answered { seen, detail, run: _ } = asked.latest();
            (seen, detail)
        }
        (None, None) => (gateway.seen(), String::new()),
    };
    let (role, detail) = match &seen {
        Seen::Active => ("ACTIVE".to_owned(), detail),
        Seen::Ready => ("PASSIVE".to_owned(), detail),
        Seen::Other(words) => (words.to_uppercase(), detail),
        Seen::Silent(why) => ("SILENT".to_owned(), why.clone()),
    };
    NodePicture {
        name: [plan::GATEWAY_A, plan::GATEWAY_B][gateway.node],
        part: ["primary", "secondary"][gateway.node],
        role,
        detail,
        active: seen == Seen::Active,
        silent: matches!(seen, Seen::Silent(_)),
        carrier: carrier(gateway),
    }
}

/// An interface that is set down has no carrier to read; it counts as none.
fn carrier(gateway: &Gateway) -> [bool; 3] {
    let read = || {
        [plan::LAN, plan::HA, plan::WAN].map(|interface| {
            fs::read_to_string(format!("/sys/class/net/{interface}/carrier"))
                .is_ok_and(|text| text.trim() == "1")
        })
    };
    gateway.machine.worker.run(read).unwrap_or_default()
}

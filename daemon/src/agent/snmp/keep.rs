//! What goes on as long as the node is there: the file beside snmpd's configuration follows the
//! settings and the administrator's lines; while somebody asks, the dashboard is kept fresh.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use twinwall_core::ids::Designation;

use super::memory::Memory;
use super::snmpd::{self, Wanted};
use super::{Access, Snmp, ask_there, contexts};
use crate::agent::conditions::ConditionId;
use crate::agent::dashboard::Stream;
use crate::agent::node::{Node, Settings};

/// Between two looks at the administrator's lines: some small files.
const LOOK: Duration = Duration::from_secs(5);
/// Nobody asks any more after so long: a walk is over, and the next one is a minute away.
const LINGER: Duration = Duration::from_secs(15);
/// So old what the other machine said is good enough while nobody asks.
const KNOWN: Duration = Duration::from_secs(60);
/// When all places for listeners are taken.
const AGAIN: Duration = Duration::from_secs(1);

/// Keeps snmpd's configuration until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(mut settings) = node.upgrade().map(|node| node.watch_settings()) else { return };
    loop {
        settings.mark_unchanged();
        let Some(strong) = node.upgrade() else { return };
        let blocking = Arc::clone(&strong);
        let done = tokio::task::spawn_blocking(move || {
            blocking.snmp().renew(&blocking);
            let matter = blocking.snmp().matter();
            blocking.conditions().report(ConditionId::SnmpAway, None, matter);
        });
        // A look that failed is made again.
        let _ = done.await;
        // Who asks about a node that has died wants to know what it was.
        if strong.snmp().is_due() {
            ask_there(&strong).await;
        }
        drop(strong);
        if let Ok(Err(_)) = timeout(LOOK, settings.changed()).await {
            return;
        }
    }
}

impl Snmp {
    /// Makes the file as the settings want it. Waits for the disk and for snmpd.
    fn renew(&self, node: &Node) {
        let settings = node.settings();
        let (root, control) = (node.root(), node.guard_control());
        let paired = settings.node.is_some() && settings.peer.is_some();
        let pair = settings.pair.as_ref().filter(|pair| pair.sync.snmp && paired);
        let Some(pair) = pair else {
            let outcome = snmpd::remove(root, control);
            if self.inside().state.wanted || outcome.changed {
                Memory::remove(root);
            }
            let mut inside = self.inside();
            let changed = outcome.changed;
            if std::mem::replace(&mut inside.state.wanted, false) {
                control.look();
            }
            (inside.access, inside.state.file) = (None, None);
            (inside.state.notes, inside.state.contexts) = (outcome.notes, Vec::new());
            if changed {
                inside.untold = outcome.untold;
            }
            return;
        };
        let memory = match self.memory(node) {
            Ok(memory) => memory,
            Err(error) => {
                let note = format!("keeping what SNMP needs below var/lib/twinwall: {error}");
                self.inside().state.notes = vec![note];
                return;
            }
        };
        let contexts = all_contexts(&settings, memory.peer.as_deref());
        let community = memory.community();
        let wanted = Wanted { contexts: &contexts, settings: &pair.snmp, community: &community.0 };
        let outcome = snmpd::renew(root, control, Some(&wanted));
        let mut inside = self.inside();
        inside.access = outcome.at.map(|at| Access { at, community });
        let is_there = root.join(snmpd::FILE).exists();
        if !std::mem::replace(&mut inside.state.wanted, true) {
            control.look();
        }
        inside.state.file = is_there.then(|| format!("/{}", snmpd::FILE));
        inside.state.contexts = contexts;
        inside.state.notes = outcome.notes;
        if outcome.changed {
            inside.untold = outcome.untold;
        }
    }

    /// Whether the other machine is to be asked although nobody wants to know.
    fn is_due(&self) -> bool {
        let inside = self.inside();
        let is_recent = inside.there.as_ref().is_some_and(|(at, _)| at.elapsed() < KNOWN);
        inside.state.wanted && !is_recent
    }

    /// What is kept, with the other node's name as it is now.
    fn memory(&self, node: &Node) -> std::io::Result<Memory> {
        let mut memory = Memory::open(node.root())?;
        let name = node.engine().ok().and_then(|engine| engine.overview().peer.name);
        if name.is_some() && name != memory.peer {
            memory.peer = name;
            memory.keep(node.root())?;
        }
        Ok(memory)
    }
}

fn all_contexts(settings: &Settings, peer: Option<&str>) -> Vec<super::Context> {
    let word = |part: Designation| match part {
        Designation::Primary => "primary",
        Designation::Secondary => "secondary",
    };
    let own = settings.designation().unwrap_or(Designation::Primary);
    let other = (peer.unwrap_or_default(), word(own.other()));
    contexts((settings.name.as_str(), word(own)), Some(other))
}

/// Follows the dashboard while somebody asks, until the node is gone.
pub(in crate::agent) async fn follow(node: Weak<Node>) {
    let Some(mut asked) = node.upgrade().map(|node| node.snmp().asked.subscribe()) else { return };
    loop {
        if asked.changed().await.is_err() {
            return;
        }
        let Some(strong) = node.upgrade() else { return };
        match Stream::open(Arc::clone(&strong)) {
            Ok(stream) => listen(&strong, stream).await,
            Err(_) => sleep(AGAIN).await,
        }
        strong.snmp().shown.send_replace(None);
    }
}

async fn listen(node: &Arc<Node>, mut stream: Stream) {
    while node.snmp().is_asked() {
        let dashboard = stream.next().await;
        node.snmp().shown.send_replace(Some(Arc::new(dashboard)));
    }
}

impl Snmp {
    fn is_asked(&self) -> bool {
        self.asked.borrow().is_some_and(|at| at.elapsed() < LINGER)
    }
}

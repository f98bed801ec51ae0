//! twinwall's guard: its files in the node's tree, its start, and its socket.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use twinwall_core::api::{Answer, Request, Status};
use twinwall_core::beat::RoleWord;
use twinwall_core::config::Cable;
use twinwall_core::event::Order;
use twinwall_core::note::What;

use crate::error::{Doing, LabError, Result};
use crate::plan;
use crate::product::{Duties, Flows, Seen, Settings};
use crate::timeline::{Entry, Source, Timeline};

/// How long a guard may take to answer; one that hangs must not hang the lab.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// The key of the pair in the lab; worth nothing outside.
const KEY: &str = "6c61622d6c61622d6c61622d6c61622d6c61622d6c61622d6c61622d6c61622d\n";

/// Its files: path below the tree, and text.
pub fn files(node: usize, settings: &Settings) -> [(&'static str, String); 3] {
    [
        ("etc/twinwall/node.toml", node_toml(node)),
        ("etc/twinwall/pair.toml", pair_toml(settings)),
        ("etc/twinwall/pair.key", KEY.to_owned()),
    ]
}

fn node_toml(node: usize) -> String {
    let name = [plan::GATEWAY_A, plan::GATEWAY_B][node];
    let designation = ["primary", "secondary"][node];
    format!("name = \"{name}\"\ndesignation = \"{designation}\"\n")
}

fn pair_toml(settings: &Settings) -> String {
    // The lab breaks the same links again and again, on purpose: as good as no damping.
    let mut text = format!(
        "pair_id = 7\n\n[heartbeat]\ninterval = {:.3}\n\n[ha_link]\ninterface = \"{}\"\ncable = \"{}\"\n\n\
         [damping]\nflaps = 255\nwindow = 1\nhold = 0\n",
        settings.interval.as_secs_f64(),
        plan::HA,
        cable(settings.cable),
    );
    if settings.flows == Flows::Alone {
        text += "\n[flows]\nreplicate = false\n";
    }
    text += match settings.duties {
        Duties::None => "",
        // Quick to notice, and believed again soon, so that repetitions need not wait long.
        Duties::AskGateway => "\n[reach]\ninterval = 0.2\nmisses = 3\nhold = 1\n",
        Duties::LogsAndSnmp => "\n[sync]\nlogs = true\nsnmp = true\n",
    };
    for Carried { name, watch, own: [primary, secondary], vips } in carried(settings) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[interface]]\nname = \"{name}\"\nwatch = {watch}\nprimary = {primary:?}\n\
             secondary = {secondary:?}\nvirtual = {vips:?}\n",
        );
        if settings.duties == Duties::AskGateway && name == plan::WAN {
            let _ = writeln!(text, "gateways = [\"{}\"]", plan::SERVER_IP);
        }
    }
    text
}

/// The same as changes for `twinwall ha set`, on a pair that has its HA link and no more.
pub fn changes(settings: &Settings) -> Vec<String> {
    let mut all = vec![
        format!("heartbeat.interval={:.3}", settings.interval.as_secs_f64()),
        format!("ha_link.cable={}", cable(settings.cable)),
    ];
    all.extend(["damping.flaps=255", "damping.window=1", "damping.hold=0"].map(str::to_owned));
    for Carried { name, watch, own: [primary, secondary], vips } in carried(settings) {
        let lists = [("primary", primary), ("secondary", secondary), ("virtual", vips)];
        all.push(format!("interface.{name}.watch={watch}"));
        all.extend(lists.map(|(key, list)| format!("interface.{name}.{key}={}", list.join(","))));
    }
    all
}

fn cable(cable: Cable) -> &'static str {
    match cable {
        Cable::Direct => "direct",
        Cable::Switched => "switched",
    }
}

/// An interface with VIPs: own addresses of both nodes, and these.
struct Carried {
    name: &'static str,
    watch: bool,
    own: [Vec<String>; 2],
    vips: Vec<String>,
}

fn carried(settings: &Settings) -> [Carried; 2] {
    let lan_prefix = plan::lan_prefix(settings.further_vips);
    let own = [0, 1].map(|node| plan::own_addresses(node, lan_prefix));
    let mut lan = vec![format!("{}/{lan_prefix}", plan::LAN_VIP), format!("{}/64", plan::LAN_VIP6)];
    let further = (0..settings.further_vips).map(plan::further_vip);
    let spare = settings.spare_vip.then_some(plan::SPARE_VIP);
    lan.extend(further.chain(spare).map(|vip| format!("{vip}/{lan_prefix}")));
    let wan = vec![format!("{}/24", plan::WAN_VIP), format!("{}/64", plan::WAN_VIP6)];
    [(1, lan, true), (2, wan, settings.wan_watched)].map(|(index, vips, watch)| Carried {
        name: own[0][index].0,
        watch,
        own: [own[0][index].1.clone(), own[1][index].1.clone()],
        vips,
    })
}

/// The command that runs it.
pub fn command(program: &Path, tree: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--root").arg(tree).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// What a node does, in the lab's words, by the status of its guard.
pub fn seen(status: &Status) -> Seen {
    let snapshot = &status.snapshot;
    let role = snapshot.role.role;
    if role == RoleWord::Active {
        return Seen::Active;
    }
    let ready = role == RoleWord::Passive
        && snapshot.status == "passive"
        && snapshot.peer.state == "alive"
        // Its own IPv6 addresses are checked for duplicates after a boot.
        && snapshot.own.waits_for.is_empty()
        // A direct cable is believed in after some seconds only.
        && (snapshot.cable == Cable::Switched || snapshot.cable_is_direct);
    if ready {
        return Seen::Ready;
    }
    let unfit = [&snapshot.own.unfit[..], &snapshot.own.waits_for[..]].concat().join(", ");
    Seen::Other(format!(
        "{} ({}), peer {} {unfit}",
        role.word(),
        snapshot.status,
        snapshot.peer.state
    ))
}

/// The guard's socket of one node.
#[derive(Clone, Debug)]
pub struct Client {
    node: usize,
    socket: PathBuf,
}

impl Client {
    /// For the node whose tree this is. Connects to nothing yet.
    pub fn new(node: usize, tree: &Path) -> Client {
        Client { node, socket: tree.join("run/twinwall/guard.sock") }
    }

    /// The guard's status.
    pub fn status(&self) -> Result<Status> {
        match self.ask(&Request::Status {})? {
            Answer::Status(status) => Ok(*status),
            other => Err(self.said(format!("no status but {other:?}"))),
        }
    }

    /// What the node does, in the lab's words.
    pub fn seen(&self) -> Seen {
        match self.status() {
            Ok(status) => seen(&status),
            Err(cause) => Seen::Silent(cause.to_string()),
        }
    }

    /// Gives an order and waits for the guard's word on it.
    pub fn order(&self, order: Order) -> Result<()> {
        match self.ask(&Request::Order { order })? {
            Answer::Done => Ok(()),
            other => Err(self.said(format!("the order was not taken: {other:?}"))),
        }
    }

    /// Has the settings read again; returns when they are in force.
    pub fn reload(&self) -> Result<()> {
        match self.ask(&Request::Reload {})? {
            Answer::Done => Ok(()),
            other => Err(self.said(format!("the settings were not taken over: {other:?}"))),
        }
    }

    /// Puts its events on the time line, from the first of its run until it ends.
    pub fn follow(&self, timeline: Timeline) -> Result<()> {
        let mut stream = self.connect()?;
        send(&mut stream, &Request::Follow { after: 0 }).doing("ask for events")?;
        stream.set_read_timeout(None).doing("wait for events")?;
        let source = Source::node(self.node);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(std::result::Result::ok) {
                if let Ok(Answer::Event(event)) = serde_json::from_str(&line) {
                    let role = if let What::Role { from, to, .. } = event.note.what {
                        Some((from, to))
                    } else {
                        None
                    };
                    timeline.add(Entry { at: event.note.at, source, role, text: event.text });
                }
            }
        });
        Ok(())
    }

    fn ask(&self, request: &Request) -> Result<Answer> {
        let mut stream = self.connect()?;
        send(&mut stream, request).doing("ask the guard")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).doing("hear the guard")?;
        serde_json::from_str(&line)
            .map_err(|cause| self.said(format!("no answer: {cause} in {line:?}")))
    }

    fn connect(&self) -> Result<UnixStream> {
        let stream =
            UnixStream::connect(&self.socket).doing(format!("reach {}", self.socket.display()))?;
        stream.set_read_timeout(Some(ANSWER_WITHIN)).doing("bound the wait")?;
        stream.set_write_timeout(Some(ANSWER_WITHIN)).doing("bound the wait")?;
        Ok(stream)
    }

    fn said(&self, said: String) -> LabError {
        LabError::Guard { node: Source::node(self.node).name().to_owned(), said }
    }
}

fn send(stream: &mut UnixStream, request: &Request) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_file_lists_every_vip_in_its_subnet() {
        let settings = Settings {
            interval: Duration::from_millis(100),
            cable: Cable::Direct,
            further_vips: 999,
            nat: false,
            flows: Flows::Ignored,
            spare_vip: false,
            wan_watched: true,
            duties: Duties::None,
        };
        let text = pair_toml(&settings);
        assert!(text.contains("interval = 0.100"));
        assert!(text.contains("primary = [\"10.1.0.2/16\", \"fd01::2/64\"]"));
        assert_eq!(text.matches("/16\"").count(), 2 + 1000);
    }
}

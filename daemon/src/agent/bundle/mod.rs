//! The support bundle: what somebody who helps from afar needs to see, in one tar.gz, and no
//! secret. What is known as a secret on this node (keys, hashes, what the profile masks) is
//! looked for in every part and hidden, beside what looks like one. Bounded in size and time;
//! a part that cannot be had says why. It changes nothing. The API asks for it.

mod archive;
mod commands;
mod parts;
mod scrub;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::api::error::Refusal;
use super::clock::unix_ms;
use super::node::Node;
use archive::Archive;
use scrub::Scrub;

/// Longest part in bytes; of a longer one the beginning and the end are kept.
const MAX_PART: usize = 512 << 10;
/// All parts together, in bytes; what comes after is left out, and said to be.
const MAX_ALL: usize = 8 << 20;
/// After this no further command is started.
const LIMIT: Duration = Duration::from_secs(30);

/// It reads files and runs programs: one at a time.
static ONE: Semaphore = Semaphore::const_new(1);

/// A part: its name in the archive, and what is in it.
struct Part {
    name: String,
    content: Vec<u8>,
}

impl Part {
    fn new(name: &str, content: impl Into<Vec<u8>>) -> Part {
        Part { name: name.to_owned(), content: content.into() }
    }
}

/// A bundle.
pub struct Bundle {
    /// What its file should be called.
    pub name: String,
    /// The tar.gz.
    pub bytes: Vec<u8>,
}

/// Gathers it.
///
/// # Errors
/// When another one is being gathered, or there is no memory for it.
pub async fn of(node: &Arc<Node>) -> Result<Bundle, Refusal> {
    let Ok(_turn) = ONE.try_acquire() else {
        return Err(Refusal::conflict(
            "another support bundle is being made; try again in a moment",
        ));
    };
    let until = Instant::now() + LIMIT;
    let mut parts = parts::gather(node).await;
    let gathering = Arc::clone(node);
    let made = tokio::task::spawn_blocking(move || {
        parts.extend(commands::gather(&gathering, until));
        let scrub = Scrub::of(&gathering);
        pack(&gathering.settings().name, parts, &scrub)
    });
    let packed = made.await.map_err(|error| failed(&error))?;
    packed.map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::machine(format!("making the support bundle: {error}"))
}

const README: &str = "\
A support bundle of twinwall: how one node of a pair sees itself and the other one.

status.json, explain.txt   what the guard holds and knows, and the same in words
events.json                what happened since the guard started
dashboard.json             both nodes in short, readiness, alarms
sync.json, services.json   sections of the configuration; services bound to the role
preflight.json             both nodes' model, firmware, interfaces, clocks
ha.json, settings/         the settings of the pair and of this node
jobs.json, audit.json      long operations; who changed what
leases.json, probe.json    DHCP leases on both nodes; what measures outages
availability.json          how available the pair was this month
peer.json                  what the other node's agent says of itself
versions.txt               twinwall, kernel, distribution
kernel/                    twinwall's own table, addresses and links in the kernel
journal/                   the last lines of twinwall's own units

Keys, tokens, password hashes and what the appliance profile masks are hidden (******).
Host names, addresses and account names are in it.
";

/// Hides what is secret, cuts what is long, and packs the rest.
fn pack(node: &str, parts: Vec<Part>, scrub: &Scrub) -> io::Result<Bundle> {
    let now_ms = unix_ms();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let folder =
        format!("twinwall-{}-{}", node.chars().map(safe).collect::<String>(), now_ms / 1000);
    let mut archive = Archive::new(&folder, now_ms / 1000);
    archive.add("README.txt", README.as_bytes())?;
    let (mut room, mut left_out) = (MAX_ALL, Vec::new());
    for part in parts {
        let content = cut(scrub.hide(&part.content));
        if content.len() > room {
            left_out.push(part.name);
            continue;
        }
        room -= content.len();
        archive.add(&part.name, &content)?;
    }
    if !left_out.is_empty() {
        archive.add("left-out.txt", left_out.join("\n").as_bytes())?;
    }
    Ok(Bundle { name: format!("{folder}.tar.gz"), bytes: archive.finish()? })
}

fn cut(mut content: Vec<u8>) -> Vec<u8> {
    if content.len() > MAX_PART {
        let surplus = content.len() - MAX_PART;
        let mark = format!("\n… {surplus} bytes are left out …\n").into_bytes();
        content.splice(MAX_PART / 2..MAX_PART / 2 + surplus, mark);
    }
    content
}

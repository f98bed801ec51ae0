//! Walks of a manager: how long they take through each context, and one that is under way when
//! the active node dies.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::support::{MIB, OWN, Site, VIP};
use crate::support::ip;

/// IF-MIB: the interfaces, and what RFC 2863 added for each.
pub(super) const IF_TABLE: &str = "1.3.6.1.2.1.2.2";
const IF_X_TABLE: &str = "1.3.6.1.2.1.31.1.1";

/// A walk that ended.
pub(super) struct Walked {
    began: Instant,
    pub(super) took: Duration,
    /// Names in their order, without values.
    pub(super) names: Vec<String>,
    /// What went wrong, in the tool's words.
    said: String,
}

/// Walks again and again, as a manager that asks several times before it gives up.
pub(super) struct Walking {
    ends: std::sync::Arc<AtomicBool>,
    thread: JoinHandle<Vec<Walked>>,
}

impl Walking {
    pub(super) fn begin(site: &Site, community: &str, below: &str) -> Walking {
        let ends = std::sync::Arc::new(AtomicBool::new(false));
        let (ending, manager) = (std::sync::Arc::clone(&ends), site.manager().to_owned());
        let (community, below) = (community.to_owned(), below.to_owned());
        let thread = thread::spawn(move || {
            let mut all = Vec::new();
            loop {
                let is_last = ending.load(Ordering::Relaxed);
                all.push(walk(&manager, VIP, &community, &below));
                if is_last {
                    return all;
                }
            }
        });
        Walking { ends, thread }
    }

    /// Ends; the slowest walk that was not over at this moment, and one more that begins now.
    pub(super) fn end(self, at: Instant) -> [Walked; 2] {
        self.ends.store(true, Ordering::Relaxed);
        let mut all = self.thread.join().expect("no panic");
        let last = all.pop().expect("one walk at least");
        let since = all.into_iter().filter(|it| at < it.began + it.took);
        [since.max_by_key(|it| it.took).expect("one at least ended after it"), last]
    }
}

impl Walked {
    /// Nothing lacked, whoever answered.
    pub(super) fn is_whole(&self, names: &[String], site: &Site) {
        assert_eq!(self.said, "", "{}", site.story());
        let got: BTreeSet<&String> = self.names.iter().collect();
        let lacks: Vec<&String> = names.iter().filter(|name| !got.contains(name)).collect();
        assert!(lacks.is_empty(), "{lacks:?} after {:?}\n{}", self.took, site.story());
    }
}

/// One walk. A question that is lost is asked again after 0.3 s.
pub(super) fn walk(manager: &str, at: &str, community: &str, below: &str) -> Walked {
    let began = Instant::now();
    let mut command = std::process::Command::new("ip");
    command.args(["netns", "exec", manager, "snmpwalk", "-v2c", "-c", community, "-On"]);
    command.args(["-t", "0.3", "-r", "60", at, below]).env("MIBS", "");
    let output = command.output().expect("snmpwalk starts");
    let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).trim().to_owned());
    let text = String::from_utf8_lossy(&out).into_owned();
    let name = |line: &str| Some(line.split_once(" = ")?.0.to_owned());
    let names = text.lines().filter(|line| line.starts_with('.')).filter_map(name).collect();
    Walked { began, took: began.elapsed(), names, said: err }
}

/// Names that are there as long as the pair is: those of conditions and reports come and go.
pub(super) fn lasting(names: &[String]) -> Vec<String> {
    let passing = format!(".{MIB}.1.7.");
    names.iter().filter(|name| !name.starts_with(&passing)).cloned().collect()
}

#[test]
fn a_walk_through_a_context_takes_about_as_long_as_one_on_the_spot() {
    const PAIRS: usize = 20;
    let site = Site::serving();
    for node in [&site.two.a, &site.two.b] {
        for pair in 0..PAIRS {
            let (one, other) = (format!("x{pair}"), format!("y{pair}"));
            let add = ["-n", node.namespace(), "link", "add", &one, "type", "veth", "peer"];
            ip(&[&add[..], &["name", &other]].concat());
        }
    }
    let manager = site.manager();
    let rows = |walked: &Walked| {
        let column = format!(".{IF_TABLE}.1.1.");
        walked.names.iter().filter(|name| name.starts_with(&column)).count()
    };
    site.wait("snmpd of both has found the interfaces", |site| {
        ["gw-a", "gw-b"].iter().all(|name| {
            let found = walk(site.manager(), VIP, &format!("public@{name}"), IF_TABLE);
            rows(&found) >= 2 * PAIRS
        })
    });
    for (at, community, below) in [
        (VIP, "public", MIB),
        (OWN[1], "public", MIB),
        (VIP, "public", IF_TABLE),
        (VIP, "public@gw-a", IF_TABLE),
        (VIP, "public@gw-b", IF_TABLE),
        (VIP, "public@peer", IF_TABLE),
        (VIP, "public@gw-b", IF_X_TABLE),
        (OWN[1], "public@gw-a", IF_TABLE),
    ] {
        let walked = walk(manager, at, community, below);
        println!("{community} at {at}: {} of {below} in {:?}", walked.names.len(), walked.took);
        assert_eq!(walked.said, "", "{community}");
        assert!(walked.names.len() > 50, "{community}: {}", walked.names.len());
        assert!(walked.took < SLOWEST, "{community} at {at}: {:?}", walked.took);
    }
}

/// About one second where nothing else runs; a busy machine takes several times as long.
const SLOWEST: Duration = Duration::from_secs(8);

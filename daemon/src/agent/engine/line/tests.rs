//! Lines over the real channel on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::*;
use crate::agent::channel::{Link, LinkConfig, Stream};
use crate::agent::digest::Digest;
use crate::agent::identity::Identity;
use crate::agent::identity::peer::Peer;

fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 28_600 + (std::process::id() % 150) as u16 * 10;
    base + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Two nodes that know each other and are not connected yet.
struct Two {
    identities: [Identity; 2],
    lines: [Lines; 2],
    stores: [(PathBuf, Arc<Store>); 2],
    runtime: Runtime,
    port: u16,
}

impl Two {
    fn new(name: &str) -> Two {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let stores = [0, 1].map(|at| {
            let id = std::process::id();
            let root = std::env::temp_dir().join(format!("twinwall-line-{name}-{at}-{id}"));
            let _ = std::fs::remove_dir_all(&root);
            let store = Store::open(&root).expect("a store").0;
            (root, Arc::new(store))
        });
        Two {
            identities: [(); 2].map(|()| Identity::generate().expect("an identity")),
            lines: Default::default(),
            stores,
            runtime: runtime.worker_threads(2).enable_all().build().expect("a runtime"),
            port: port(),
        }
    }

    /// Connects them, and takes each line that comes.
    fn connect(&self) -> [Arc<Link>; 2] {
        let links = [0, 1].map(|at| Arc::new(self.link(at)));
        for (at, link) in links.iter().enumerate() {
            let (link, lines) = (Arc::clone(link), self.lines[at].clone());
            let (store, runtime) = (Arc::clone(&self.stores[at].1), self.runtime.handle().clone());
            thread::spawn(move || {
                loop {
                    let next = runtime.block_on(link.connection(Stream::Configuration));
                    lines.serve(next, Arc::clone(&store), &runtime);
                }
            });
        }
        links
    }

    fn link(&self, at: usize) -> Link {
        let identity = Identity::from_pem(self.identities[at].pem_for_tests().as_bytes());
        let there = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let (sender, addresses) = watch::channel(vec![there]);
        // The finder lives as long as the agent.
        std::mem::forget(sender);
        let _inside = self.runtime.enter();
        let config = LinkConfig {
            identity: identity.expect("the same identity"),
            peer: Peer::of(self.identities[1 - at].certificate().clone()),
            dials: at == 0,
            node: format!("gw-{at}"),
            interface: "lo".to_owned(),
            port: self.port,
            addresses,
        };
        Link::open(config).expect("the link opens")
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        for (root, _) in &self.stores {
            let _ = std::fs::remove_dir_all(root);
        }
    }
}

/// Asks for what the other node does not have: its answer is that it has it not.
fn ask(line: &mut dyn Line) -> Result<(), FetchError> {
    exchange::fetch_manifest(line, Digest::of(b"nobody has this"), None).map(drop)
}

#[test]
fn a_question_waits_for_a_line_that_is_still_to_come() {
    let two = Two::new("comes");
    let (lines, began) = (two.lines[1].clone(), Instant::now());
    let asking = thread::spawn(move || (lines.ask(ask), Instant::now()));
    // As where the control stream stood first, and a job began over it.
    thread::sleep(Duration::from_millis(500));
    let _links = two.connect();
    let (answer, at) = asking.join().expect("it asked");
    assert!(matches!(answer, Err(FetchError::NotHere)), "{answer:?}");
    assert!(at.duration_since(began) >= Duration::from_millis(500));
}

#[test]
fn what_was_asked_over_a_line_that_breaks_is_asked_over_the_next() {
    let two = Two::new("breaks");
    let links = two.connect();
    let mut times = 0;
    let answer = two.lines[1].ask(|line| {
        times += 1;
        if times == 1 {
            links[1].cut();
            // Nothing comes over it any more.
            return line.receive().map(drop).map_err(FetchError::Line);
        }
        ask(line)
    });
    assert!(matches!(answer, Err(FetchError::NotHere)), "{answer:?}");
    assert_eq!(times, 2);
}

#[test]
fn whoever_waits_for_a_line_is_told_when_everything_ends() {
    let two = Two::new("ends");
    let (lines, began) = (two.lines[0].clone(), Instant::now());
    let asking = thread::spawn(move || lines.ask(ask));
    two.lines[0].end();
    let answer = asking.join().expect("it asked");
    assert!(matches!(answer, Err(FetchError::NoLine)), "{answer:?}");
    assert!(began.elapsed() < COMES);
}

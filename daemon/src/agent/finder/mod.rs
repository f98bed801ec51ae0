//! Finds the other node on a cable: calls out who this one is, by link-local IPv6 to all
//! nodes (ff02::1) and by IPv4 broadcast where there is no IPv6, and keeps who was heard.
//! The agent runs one on the HA link for its channel; pairing listens on every interface.
//! What it hears is not authentic: the channel and the pairing prove who is there.

mod announcement;
mod sockets;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

pub use announcement::{
    Announcement, AnnouncementError, MAX_ANNOUNCEMENT, VERSION, decode_announcement,
};
use sockets::Sockets;

use super::digest::Digest;

/// How often a node calls out.
const CALL: Duration = Duration::from_secs(1);
/// A node that was not heard for so long has gone.
pub const GONE_AFTER: Duration = Duration::from_secs(5);
/// Nodes of each [`Kind`] that are kept: some strangers where a switch lies between the HA
/// ports, and the addresses of the one that is looked for.
pub const MAX_OF_A_KIND: usize = 16;
/// After this without a word the sockets are made anew: an interface that went and came
/// back under its name is another one to the kernel.
const STALE: Duration = Duration::from_secs(10);
/// Between two tries to open sockets on an interface that is not there.
const AGAIN: Duration = Duration::from_secs(1);

/// A node that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Where it is; the port is not meant.
    pub address: SocketAddr,
    /// The interface on which it was heard.
    pub heard_on: String,
    /// What it said last.
    pub said: Announcement,
    seen: Instant,
}

impl Neighbour {
    /// A node that said this just now.
    pub fn heard(address: SocketAddr, heard_on: &str, said: Announcement) -> Neighbour {
        Neighbour { address, heard_on: heard_on.to_owned(), said, seen: Instant::now() }
    }
}

/// What a node says that it is. Each kind has places of its own, so that a crowd of one
/// cannot keep out another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The other node of this pair. It may be a lie: the channel asks for the proof.
    Peer,
    /// A node with an open invitation.
    Inviter,
    /// Neither.
    Stranger,
}

/// Listens on one interface, and calls out where it was told what. Ends when dropped.
#[derive(Debug)]
pub struct Finder {
    neighbours: watch::Receiver<Vec<Neighbour>>,
    say: watch::Sender<Option<Announcement>>,
    _task: JoinSet<()>,
}

impl Finder {
    /// Begins on this interface, with places for the node that has one of these certificates. Must be
    /// called inside a tokio runtime.
    pub fn start(interface: &str, say: Option<Announcement>, peer: Vec<Digest>) -> Finder {
        let (say, saying) = watch::channel(say);
        let (heard, neighbours) = watch::channel(Vec::new());
        let mut task = JoinSet::new();
        let at = At { interface: interface.to_owned(), peer, saying, heard };
        task.spawn(at.run());
        Finder { neighbours, say, _task: task }
    }

    /// Who is there now, and each change.
    pub fn neighbours(&self) -> watch::Receiver<Vec<Neighbour>> {
        self.neighbours.clone()
    }

    /// Calls this out from now on.
    pub fn say(&self, announcement: Option<Announcement>) {
        self.say.send_replace(announcement);
    }
}

/// Each node once, which may be heard at several addresses.
pub fn nodes(neighbours: Vec<Neighbour>) -> Vec<Neighbour> {
    let mut nodes: Vec<Neighbour> = Vec::new();
    for one in neighbours {
        let same = |it: &Neighbour| {
            (it.said.certificate, &it.said.interface, &it.heard_on)
                == (one.said.certificate, &one.said.interface, &one.heard_on)
        };
        if !nodes.iter().any(same) {
            nodes.push(one);
        }
    }
    nodes
}

/// Where the node with one of these certificates may be, IPv6 first.
pub fn addresses_of(
    neighbours: &[Neighbour],
    certificates: &[Digest],
    port: u16,
) -> Vec<SocketAddr> {
    let its = neighbours.iter().filter(|it| certificates.contains(&it.said.certificate));
    let mut addresses: Vec<SocketAddr> = its
        .map(|it| {
            let mut address = it.address;
            address.set_port(port);
            address
        })
        .collect();
    addresses.sort_by_key(|address| (address.is_ipv4(), *address));
    addresses
}

struct At {
    interface: String,
    peer: Vec<Digest>,
    saying: watch::Receiver<Option<Announcement>>,
    heard: watch::Sender<Vec<Neighbour>>,
}

impl At {
    async fn run(mut self) {
        loop {
            match Sockets::open(&self.interface) {
                Ok(sockets) => self.serve(&sockets).await,
                // It is not there, or down, or without any address: it may come.
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
            self.forget();
        }
    }

    /// Until the sockets are stale or fail.
    async fn serve(&mut self, sockets: &Sockets) {
        let mut call = interval(CALL);
        call.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        let mut buffer = [0; MAX_ANNOUNCEMENT + 1];
        loop {
            tokio::select! {
                _ = call.tick() => {
                    self.forget();
                    if !self.call_out(sockets).await || last.elapsed() > STALE {
                        return;
                    }
                }
                changed = self.saying.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.call_out(sockets).await;
                }
                received = sockets.receive(&mut buffer) => match received {
                    Ok((length, from)) => {
                        last = Instant::now();
                        self.hear(&buffer[..length], from);
                    }
                    Err(_) => {
                        tokio::time::sleep(AGAIN).await;
                        return;
                    }
                },
            }
        }
    }

    /// False when it could not be sent at all.
    async fn call_out(&mut self, sockets: &Sockets) -> bool {
        let said = self.saying.borrow_and_update().clone();
        match said {
            Some(said) => sockets.send(&said.encode()).await,
            None => true,
        }
    }

    fn hear(&self, bytes: &[u8], from: SocketAddr) {
        let Ok(said) = decode_announcement(bytes) else { return };
        let own = self.saying.borrow().as_ref().is_some_and(|own| own.run == said.run);
        if own {
            return;
        }
        let neighbour = Neighbour::heard(from, &self.interface, said);
        self.heard.send_if_modified(|known| self.keep(known, neighbour));
    }

    /// Whether those that are known changed by this one.
    fn keep(&self, known: &mut Vec<Neighbour>, neighbour: Neighbour) -> bool {
        // Whoever sends from another node's address takes nothing from that node's entry.
        let same = |it: &Neighbour| {
            it.address == neighbour.address && it.said.certificate == neighbour.said.certificate
        };
        if let Some(it) = known.iter_mut().find(|it| same(it)) {
            let changed = it.said != neighbour.said;
            *it = neighbour;
            return changed;
        }
        let kind = self.kind(&neighbour);
        let of_its_kind = known.iter().filter(|it| self.kind(it) == kind).count();
        if of_its_kind >= MAX_OF_A_KIND {
            match kind {
                // More are passed over until one of these has gone.
                Kind::Inviter | Kind::Stranger => return false,
                // All but one lie: each is let in, so that the true one is dialled as well.
                Kind::Peer => self.drop_longest_silent(known, kind),
            }
        }
        known.push(neighbour);
        true
    }

    fn kind(&self, neighbour: &Neighbour) -> Kind {
        if self.peer.contains(&neighbour.said.certificate) {
            Kind::Peer
        } else if neighbour.said.inviting.is_some() {
            Kind::Inviter
        } else {
            Kind::Stranger
        }
    }

    fn drop_longest_silent(&self, known: &mut Vec<Neighbour>, kind: Kind) {
        let of_kind = known.iter().enumerate().filter(|(_, it)| self.kind(it) == kind);
        if let Some((at, _)) = of_kind.min_by_key(|(_, it)| it.seen) {
            known.remove(at);
        }
    }

    fn forget(&self) {
        self.heard.send_if_modified(|known| {
            let before = known.len();
            known.retain(|it| it.seen.elapsed() < GONE_AFTER);
            known.len() != before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(address: &str, certificate: &[u8]) -> Neighbour {
        Neighbour {
            address: address.parse().expect("an address"),
            heard_on: "ha0".to_owned(),
            said: Announcement {
                version: VERSION,
                run: 1,
                certificate: Digest::of(certificate),
                interface: "ha0".to_owned(),
                node: "gw-b".to_owned(),
                pair_id: None,
                inviting: None,
            },
            seen: Instant::now(),
        }
    }

    #[tokio::test]
    async fn only_the_pinned_certificate_is_dialled_and_ipv6_first() {
        let known = [
            neighbour("192.0.2.9:1", b"peer"),
            neighbour("192.0.2.1:1", b"stranger"),
            neighbour("[fe80::1%3]:1", b"peer"),
        ];
        let addresses = addresses_of(&known, &[Digest::of(b"peer")], 8856);
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["[fe80::1%3]:8856", "192.0.2.9:8856"]);
    }

    #[test]
    fn a_node_at_two_addresses_is_one_node() {
        let heard = ["192.0.2.9:1", "[fe80::1%3]:1"].map(|at| neighbour(at, b"peer"));
        let mut all = heard.to_vec();
        all.push(neighbour("192.0.2.1:1", b"stranger"));
        assert_eq!(nodes(all).len(), 2);
    }

    fn listening(peer: &[u8]) -> (At, watch::Receiver<Vec<Neighbour>>) {
        let (heard, neighbours) = watch::channel(Vec::new());
        // Nothing is called out here; the sender may go.
        let saying = watch::channel(None).1;
        let peer = vec![Digest::of(peer)];
        (At { interface: "ha0".to_owned(), peer, saying, heard }, neighbours)
    }

    /// 200 nodes with this certificate call out, one after the other.
    fn crowd(at: &At, certificate: &[u8]) {
        let said = neighbour("192.0.2.9:1", certificate).said.encode();
        for host in 1..=200_u8 {
            at.hear(&said, SocketAddr::from(([192, 0, 2, host], 1)));
        }
    }

    const PEER: &str = "[fe80::1%3]:1";

    fn peer_calls(at: &At) {
        at.hear(&neighbour(PEER, b"peer").said.encode(), PEER.parse().expect("an address"));
    }

    fn peer_is_known(neighbours: &watch::Receiver<Vec<Neighbour>>) -> bool {
        let known = neighbours.borrow();
        addresses_of(&known, &[Digest::of(b"peer")], 1).contains(&PEER.parse().expect("an address"))
    }

    #[tokio::test]
    async fn a_crowd_of_strangers_fills_its_places_and_no_more() {
        let (at, neighbours) = listening(b"peer");
        crowd(&at, b"stranger");
        assert_eq!(neighbours.borrow().len(), MAX_OF_A_KIND);
    }

    #[tokio::test]
    async fn a_crowd_that_was_there_first_does_not_keep_the_peer_out() {
        for certificate in [&b"stranger"[..], b"peer"] {
            let (at, neighbours) = listening(b"peer");
            crowd(&at, certificate);
            peer_calls(&at);
            assert!(peer_is_known(&neighbours), "{}", String::from_utf8_lossy(certificate));
            assert!(neighbours.borrow().len() <= 2 * MAX_OF_A_KIND);
        }
    }

    #[tokio::test]
    async fn a_crowd_of_strangers_does_not_keep_an_invitation_out() {
        let (at, neighbours) = listening(b"peer");
        crowd(&at, b"stranger");
        let said = Announcement { inviting: Some(1), ..neighbour(PEER, b"inviter").said };
        at.hear(&said.encode(), PEER.parse().expect("an address"));
        assert!(neighbours.borrow().iter().any(|it| it.said.inviting.is_some()));
    }

    #[tokio::test]
    async fn a_stranger_that_sends_from_the_peers_address_does_not_hide_it() {
        let (at, neighbours) = listening(b"peer");
        peer_calls(&at);
        at.hear(&neighbour(PEER, b"stranger").said.encode(), PEER.parse().expect("an address"));
        assert!(peer_is_known(&neighbours));
    }
}

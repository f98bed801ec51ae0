//! The sockets of every path, and the Ethernet around a frame.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use twinwall_core::config::Pair;
use twinwall_core::ids::{MAX_PATHS, PathId, PathSet};
use twinwall_core::time::Moment;
use twinwall_core::wire::{ETHERTYPE, MAX_FRAME};

use crate::ask::Asker;
use crate::frames::{ETHERNET_HEADER, FrameSocket};
use crate::rtnetlink::{InterfaceName, Mac};

use super::readiness::{Source, Waiting};

/// One path's sockets, opened by the link thread (opening takes locks of the kernel's).
pub struct PathSocket {
    /// For beats.
    pub frames: FrameSocket,
    /// For questions to the peer's kernel; none on the HA link.
    pub asker: Option<Asker>,
    /// Our own Ethernet address there.
    pub mac: Mac,
}

/// An answer of the peer's kernel is of interest for this long.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// All paths.
pub struct Paths {
    names: [Option<InterfaceName>; MAX_PATHS],
    sockets: [Option<Box<PathSocket>>; MAX_PATHS],
    /// Where the peer is on each path: its address once heard, the group before.
    peers: [Mac; MAX_PATHS],
    group: Mac,
    /// Answers to questions are waited for until here.
    asked_until: Moment,
    /// They are waited for now: other programs' questions have answers too, and each
    /// would wake this thread.
    listening: bool,
    /// The sockets are others than at the last look.
    changed: bool,
}

/// The group address of a pair's frames: locally administered, with the pair's number.
pub fn group(pair_id: u16) -> Mac {
    let [high, low] = pair_id.to_be_bytes();
    Mac([0x03, b't', b'w', 0, high, low])
}

/// The names of the paths' interfaces; the settings were checked, so all are possible.
fn names(pair: &Pair) -> [Option<InterfaceName>; MAX_PATHS] {
    let mut names = [None; MAX_PATHS];
    for (entry, name) in names.iter_mut().zip(pair.path_names()) {
        *entry = name.parse().ok();
    }
    names
}

impl Paths {
    /// The paths of these settings, without sockets yet.
    pub fn new(pair: &Pair) -> Paths {
        let group = group(pair.pair_id);
        Paths {
            names: names(pair),
            sockets: std::array::from_fn(|_| None),
            peers: [group; MAX_PATHS],
            group,
            asked_until: Moment::ZERO,
            listening: false,
            changed: true,
        }
    }

    /// The paths of other settings: sockets follow their interfaces' names, and those
    /// of interfaces that are no path any more are closed.
    pub fn relist(&mut self, pair: &Pair) {
        self.changed = true;
        let before = std::mem::replace(&mut self.names, names(pair));
        let mut sockets = std::mem::replace(&mut self.sockets, std::array::from_fn(|_| None));
        let peers = std::mem::replace(&mut self.peers, [self.group; MAX_PATHS]);
        for (index, name) in self.names.iter().enumerate() {
            let kept = before.iter().position(|old| name.is_some() && old == name);
            if let Some(old) = kept {
                self.sockets[index] = sockets[old].take();
                self.peers[index] = peers[old];
            }
        }
    }

    /// Sets or takes away the sockets of the path over an interface; they are closed
    /// again if there is none.
    pub fn set(&mut self, name: InterfaceName, socket: Option<Box<PathSocket>>) {
        self.changed = true;
        let path = self.names.iter().position(|path| *path == Some(name));
        if let Some(entry) = path.and_then(|index| self.sockets.get_mut(index)) {
            *entry = socket;
        }
    }

    /// Number of paths.
    pub fn count(&self) -> usize {
        self.names.iter().flatten().count()
    }

    /// Whether there is something else to wait for than at the last call.
    pub(super) fn changed(&mut self, now: Moment) -> bool {
        let asked = now < self.asked_until;
        let other = asked != std::mem::replace(&mut self.listening, asked);
        std::mem::take(&mut self.changed) || other
    }

    /// Adds what to wait for.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn wait_for(&self, waiting: &Waiting) -> io::Result<()> {
        for (index, socket) in self.sockets.iter().enumerate() {
            let Some(socket) = socket else { continue };
            let path = PathId(index as u8);
            waiting.add(socket.frames.as_fd(), Source::Frames(path))?;
            for fd in socket.asker.iter().filter(|_| self.listening).flat_map(Asker::descriptors) {
                waiting.add(fd, Source::Kernel(path))?;
            }
        }
        Ok(())
    }

    /// The next frame that waits on a path: its length with the Ethernet header, and its sender.
    pub fn receive(&self, path: PathId, buffer: &mut [u8]) -> Option<(usize, Mac)> {
        // An interface that went down is the link thread's to tell.
        self.sockets[path.index()].as_ref()?.frames.recv(buffer).ok().flatten()
    }

    /// Sends a frame's content to the peer on a path. What cannot be sent is lost, as
    /// on any network: the lease and the peer's patience are made for that.
    pub fn send(&self, path: PathId, content: &[u8]) {
        self.send_to(path, self.peers[path.index()], content);
    }

    /// The same to whoever listens there: the peer may be another machine by now.
    pub fn send_to_group(&self, path: PathId, content: &[u8]) {
        self.send_to(path, self.group, content);
    }

    fn send_to(&self, path: PathId, to: Mac, content: &[u8]) {
        let Some(socket) = &self.sockets[path.index()] else { return };
        let mut frame = [0; ETHERNET_HEADER + MAX_FRAME];
        frame[..6].copy_from_slice(&to.0);
        frame[6..12].copy_from_slice(&socket.mac.0);
        frame[12..14].copy_from_slice(&ETHERTYPE.to_be_bytes());
        let length = (ETHERNET_HEADER + content.len()).min(frame.len());
        frame[ETHERNET_HEADER..length].copy_from_slice(&content[..length - ETHERNET_HEADER]);
        let _ = socket.frames.send(&frame[..length]);
    }

    /// An authentic frame came from this address: the peer is there.
    pub fn heard_from(&mut self, path: PathId, source: Mac) {
        self.peers[path.index()] = source;
    }

    /// Asks the peer's kernel on these paths; answers to questions
    /// of long ago are thrown away first.
    pub fn ask_kernel(&mut self, now: Moment, paths: PathSet) {
        let first = now >= self.asked_until;
        self.asked_until = now + ANSWERS_WITHIN;
        for path in paths.iter() {
            let Some(asker) =
                self.sockets[path.index()].as_ref().and_then(|socket| socket.asker.as_ref())
            else {
                continue;
            };
            while first && matches!(asker.recv(), Ok(Some(_))) {}
            let _ = asker.ask();
        }
    }

    /// The paths among `of` on which the peer's kernel answered since the last call.
    pub fn answering_kernels(&self, of: PathSet) -> impl Iterator<Item = PathId> + use<> {
        let mut answered = PathSet::EMPTY;
        for path in of.iter() {
            let socket = self.sockets[path.index()].as_ref();
            let asker = socket.and_then(|socket| socket.asker.as_ref());
            if asker.is_some_and(|asker| matches!(asker.recv(), Ok(Some(_)))) {
                answered.insert(path);
            }
        }
        answered.iter()
    }
}

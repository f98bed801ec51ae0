//! What binds the frames of two nodes to their present runs, and seals and opens
//! them. The guard holds one [`Session`] a run and calls it for every frame.
//!
//! Hellos carry boot ids in the clear, authenticated by the pair key. A hello
//! that echoes one of ours, sent after the newest run of the peer that we know of
//! began to be known, can only come from a still newer run: that makes a
//! *candidate*. The first beat sealed for the candidate makes it *current* and
//! ends the one before. A recorded hello echoes what we sent long ago, so it
//! earns an answer at the most.
//!
//! Keys are changed while runs go on: of a run's boot ids each pair key makes its own ciphers,
//! and counters and windows stay. Beats say which second key their sender takes; a key by which
//! one of the two would not be heard is refused (`docs/adr/0014-keys-changed-in-steps.md`).

mod rekey;
mod shown;

pub use rekey::RekeyRefused;

use chacha20poly1305::AeadInOut;
use chacha20poly1305::aead::inout::InOutBuf;
use hkdf::hmac::Mac;
use std::time::Duration;

use super::content::{self, BODY_LENGTH, MAX_ENCODED, MAX_EXTENSIONS};
use super::frame::{
    HEADER_LENGTH, HELLO_LENGTH, HELLO_SIGNED, Header, Hello, Kind, MAC_LENGTH, MAX_FRAME,
    Sighting, TAG_LENGTH,
};
use super::key::{Keyed, PairKey};
use super::refused::{Counts, Refused};
use super::run::{Run, Said};
use super::window::{Seen, Window};
use crate::beat::{Beat, Heard};
use crate::ids::{BootId, Designation, MAX_PATHS, NameTag, PathId};
use crate::time::Moment;

/// Least time between two answers on one path: an honest peer needs one answer a
/// heartbeat interval (10 ms or more), and a flood of recorded hellos must not
/// become a flood of ours. Each path has its own measure, so that a flood on one
/// leaves the others alone.
pub const ANSWER_GAP: Duration = Duration::from_millis(2);

/// What an accepted frame was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A beat, for the core.
    Beat(Box<Heard>),
    /// A hello.
    Hello {
        /// Send a hello on the same path at once.
        answer: bool,
        /// A new run of the peer was proved by it: send a beat at once (after the
        /// answer), so that the peer need not wait for the next interval.
        new_run: bool,
    },
}

/// Seals and opens the frames of one run of this node.
pub struct Session {
    me: Designation,
    pair_id: u16,
    boot: BootId,
    keyed: Keyed,
    /// Taken from the peer as well, while keys are changed.
    also: Option<Keyed>,
    /// Confirmed by a beat.
    current: Option<Run>,
    /// Proved by a hello, no beat yet.
    candidate: Option<Run>,
    /// The newest authentic hello, of whatever run; ours echo it.
    last_hello: Option<Sighting>,
    /// Number of the hello sent last.
    hellos: u64,
    /// Number of the beat sealed last on each path. It goes on over all runs of
    /// the peer: no nonce is used twice even if one run's keys were derived twice.
    beats: [u64; MAX_PATHS],
    answered: [Option<Moment>; MAX_PATHS],
    /// The interfaces behind our paths.
    tags: [NameTag; MAX_PATHS],
    unanswered: u64,
    counts: Counts,
}

impl Session {
    /// The session of one run. `boot` must be drawn anew for *every* session, also
    /// when the same process makes a second one (another key, another pair id):
    /// the counters start again, and nonces are unique only within one boot id.
    pub fn new(key: &PairKey, pair_id: u16, me: Designation, boot: BootId) -> Session {
        Session {
            me,
            pair_id,
            boot,
            keyed: Keyed::new(key, pair_id),
            also: None,
            current: None,
            candidate: None,
            last_hello: None,
            hellos: 0,
            beats: [0; MAX_PATHS],
            answered: [None; MAX_PATHS],
            tags: std::array::from_fn(|path| NameTag(path as u32 + 1)),
            unanswered: 0,
            counts: Counts::default(),
        }
    }

    /// Names the interfaces behind the paths, by which both nodes know a path whatever
    /// its numbers. Until the first call a path's number is its name. May be called
    /// again: counters and windows belong to numbers, so that none is used twice.
    pub fn name_paths(&mut self, tags: [NameTag; MAX_PATHS]) {
        self.tags = tags;
    }

    /// Whether hellos are still needed: send one on every path with each beat. Also
    /// while the hello heard last is of a run that is not held: its answer may not get
    /// through on the path that it came by.
    pub fn wants_hello(&self) -> bool {
        let unknown = self.last_hello.is_some_and(|last| !self.holds(last.boot));
        self.current.is_none() || self.candidate.is_some() || unknown
    }

    /// Whether a run of the peer was proved to live, so that beats can be sealed for it.
    pub fn knows_peer(&self) -> bool {
        self.current.is_some() || self.candidate.is_some()
    }

    /// The peer's run that a beat confirmed.
    pub fn peer(&self) -> Option<BootId> {
        self.current.as_ref().map(|run| run.boot)
    }

    /// How often each cause of refusal came up, and hellos that got no answer
    /// because they came faster than [`ANSWER_GAP`].
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().chain([("unanswered_hello", self.unanswered)])
    }

    /// Causes of refusal that keep coming up, last within `recent`, and that somebody has to mend.
    pub fn lasting_refusals(&self, now: Moment, recent: Duration) -> impl Iterator<Item = Refused> {
        self.counts.lasting(now, recent)
    }

    /// Writes a hello for `path`; returns its length.
    pub fn hello(&mut self, path: PathId, out: &mut [u8; MAX_FRAME]) -> usize {
        self.hellos = self.hellos.saturating_add(1);
        let hello = Hello {
            own: self.boot,
            heard: self.last_hello,
            wants_answer: self.last_hello.is_none_or(|last| !self.holds(last.boot)),
        };
        let signed = hello.encode(&self.header(Kind::Hello, path, self.hellos));
        let mac = self.keyed.hello_mac.clone().chain_update(signed).finalize().into_bytes();
        out[..HELLO_SIGNED].copy_from_slice(&signed);
        out[HELLO_SIGNED..HELLO_LENGTH].copy_from_slice(&mac);
        HELLO_LENGTH
    }

    /// Writes `beat` sealed for `path`; returns the frame's length. `None` when no
    /// run of the peer is known yet, or the path or its counters are at their end.
    ///
    /// A candidate goes before the current run: its hello proved that the run
    /// before it has ended, and nobody else can tell the new one what we are.
    pub fn seal_beat(
        &mut self,
        path: PathId,
        beat: &Beat,
        out: &mut [u8; MAX_FRAME],
    ) -> Option<usize> {
        let mut content = [0; MAX_ENCODED];
        let takes = self.also.as_ref().map(|also| also.tag);
        let length = content::encode_with(beat, takes, &mut content);
        self.seal(path, &content[..length], out)
    }

    /// Opens a frame that came in on `path`, without its Ethernet header.
    ///
    /// # Errors
    /// Why it was refused. It is counted; of the session nothing has changed, but
    /// that an authentic frame is not taken a second time.
    pub fn receive(
        &mut self,
        now: Moment,
        path: PathId,
        frame: &[u8],
    ) -> Result<Received, Refused> {
        let result = self.open_frame(now, path, frame);
        if let Err(cause) = result {
            self.counts.add(now, cause);
        }
        result
    }

    /// Seals any content: what `seal_beat` does after encoding. Tests and fuzzing
    /// reach the decoder behind the seal by it.
    #[doc(hidden)]
    pub fn seal(
        &mut self,
        path: PathId,
        content: &[u8],
        out: &mut [u8; MAX_FRAME],
    ) -> Option<usize> {
        if content.len() > BODY_LENGTH + MAX_EXTENSIONS {
            return None;
        }
        let run = self.candidate.as_ref().or(self.current.as_ref())?;
        let counter = self.beats.get_mut(path.index())?;
        *counter = counter.checked_add(1)?;
        let header = Header {
            kind: Kind::Beat,
            pair_id: self.pair_id,
            sender: self.me,
            path,
            interface: *self.tags.get(path.index())?,
            counter: *counter,
        };
        let head = header.encode();
        let end = HEADER_LENGTH + content.len();
        out[..HEADER_LENGTH].copy_from_slice(&head);
        let buffer = InOutBuf::new(content, &mut out[HEADER_LENGTH..end]).ok()?;
        let tag =
            run.ciphers.seal.encrypt_inout_detached(&header.nonce().into(), &head, buffer).ok()?;
        out[end..end + TAG_LENGTH].copy_from_slice(&tag);
        Some(end + TAG_LENGTH)
    }

    fn open_frame(&mut self, now: Moment, path: PathId, frame: &[u8]) -> Result<Received, Refused> {
        let (header, body) = Header::decode(frame, self.pair_id)?;
        if header.sender == self.me {
            return Err(Refused::OwnDesignation);
        }
        match header.kind {
            Kind::Hello => self.open_hello(now, path, &header, frame),
            Kind::Beat => self.open_beat(path, &header, body),
        }
    }

    fn open_hello(
        &mut self,
        now: Moment,
        path: PathId,
        header: &Header,
        frame: &[u8],
    ) -> Result<Received, Refused> {
        let (signed, mac) = frame.split_first_chunk::<HELLO_SIGNED>().ok_or(Refused::Length)?;
        if mac.len() != MAC_LENGTH {
            return Err(Refused::Length);
        }
        let keys = [Some(&self.keyed), self.also.as_ref()];
        let proves =
            |it: &Keyed| it.hello_mac.clone().chain_update(signed).verify_slice(mac).is_ok();
        if !keys.into_iter().flatten().any(proves) {
            return Err(Refused::NotAuthentic);
        }
        self.check_path(path, header)?;
        let body = signed.last_chunk().ok_or(Refused::Length)?;
        let hello = Hello::decode(body)?;
        self.remember(Sighting { boot: hello.own, counter: header.counter });
        let new_run = self.take_candidate(&hello);
        // Who is not held gets an answer unasked: what it echoed was too old to prove
        // anything, and it may not know that.
        let wanted = hello.wants_answer || !self.holds(hello.own);
        let answer = wanted && self.may_answer(now, path);
        Ok(Received::Hello { answer, new_run })
    }

    /// Whether an authentic frame that came in on `path` was meant for it.
    fn check_path(&self, path: PathId, header: &Header) -> Result<(), Refused> {
        if self.tags.get(path.index()) == Some(&header.interface) {
            return Ok(());
        }
        Err(Refused::Crossed { sealed_for: header.path })
    }

    /// Notes whose hello our next one echoes. Of one run the newest counts, as
    /// only that proves to the peer that we live *now*.
    fn remember(&mut self, seen: Sighting) {
        let older = self
            .last_hello
            .is_some_and(|last| last.boot == seen.boot && last.counter > seen.counter);
        if !older {
            self.last_hello = Some(seen);
        }
    }

    /// Makes the sender of `hello` the candidate if it proves to be newer than the
    /// runs held. `since` says why a recorded hello cannot.
    fn take_candidate(&mut self, hello: &Hello) -> bool {
        let newest =
            [&self.current, &self.candidate].into_iter().flatten().map(|run| run.since).max();
        let proves = hello
            .heard
            .is_some_and(|echo| echo.boot == self.boot && echo.counter >= newest.unwrap_or(1));
        if !proves || self.holds(hello.own) {
            return false;
        }
        self.candidate = Some(self.derive(hello.own));
        true
    }

    fn derive(&self, peer: BootId) -> Run {
        let (ciphers, also) = self.ciphers(peer);
        Run {
            boot: peer,
            since: self.hellos.saturating_add(1),
            ciphers,
            also,
            windows: [Window::default(); MAX_PATHS],
            said: Said::default(),
        }
    }

    fn may_answer(&mut self, now: Moment, path: PathId) -> bool {
        let Some(last) = self.answered.get_mut(path.index()) else {
            return false;
        };
        if last.is_some_and(|last| now.since(last) < ANSWER_GAP) {
            self.unanswered = self.unanswered.saturating_add(1);
            return false;
        }
        *last = Some(now);
        true
    }

    fn open_beat(
        &mut self,
        path: PathId,
        header: &Header,
        body: &[u8],
    ) -> Result<Received, Refused> {
        if !(BODY_LENGTH + TAG_LENGTH..=BODY_LENGTH + MAX_EXTENSIONS + TAG_LENGTH)
            .contains(&body.len())
        {
            return Err(Refused::Length);
        }
        if self.current.is_none() && self.candidate.is_none() {
            return Err(Refused::NoSession);
        }
        let mut plain = [0; BODY_LENGTH + MAX_EXTENSIONS];
        let opens = |run: &Option<Run>, plain: &mut [u8]| {
            run.as_ref().and_then(|run| run.open(header, body, plain))
        };
        let ((length, under), run) = match opens(&self.current, &mut plain) {
            Some(opened) => (opened, self.current.as_mut()),
            None => {
                let opened = opens(&self.candidate, &mut plain).ok_or(Refused::NotAuthentic)?;
                (opened, self.candidate.as_mut())
            }
        };
        let run = run.ok_or(Refused::NotAuthentic)?;
        if self.tags.get(path.index()) != Some(&header.interface) {
            return Err(Refused::Crossed { sealed_for: header.path });
        }
        // The sender's number: its counters go on when a reload gives it to another interface.
        let window = run.windows.get_mut(header.path.index()).ok_or(Refused::Header)?;
        match window.look(header.counter) {
            Seen::Fresh => window.mark(header.counter),
            Seen::Duplicate => return Err(Refused::Duplicate),
            Seen::TooOld => return Err(Refused::TooOld),
        }
        let plain = &plain[..length];
        let beat = content::decode(plain).map_err(Refused::Content)?;
        if beat.sequence >= run.said.sequence {
            let takes = content::decode_takes(plain).map_err(Refused::Content)?;
            run.said = Said { sequence: beat.sequence, uses: under, takes };
        }
        let boot = run.boot;
        self.confirm(boot);
        Ok(Received::Beat(Box::new(Heard { path, boot, beat })))
    }

    /// A beat of run `boot` was accepted: if it is the candidate, the run before has ended.
    fn confirm(&mut self, boot: BootId) {
        if self.candidate.as_ref().is_some_and(|run| run.boot == boot) {
            self.current = self.candidate.take();
        }
    }

    fn holds(&self, boot: BootId) -> bool {
        [&self.current, &self.candidate].into_iter().flatten().any(|run| run.boot == boot)
    }

    fn header(&self, kind: Kind, path: PathId, counter: u64) -> Header {
        let interface = self.tags.get(path.index()).copied().unwrap_or_default();
        Header { kind, pair_id: self.pair_id, sender: self.me, path, interface, counter }
    }
}

#[cfg(test)]
impl Session {
    /// Moves a path's counter, to test what happens at its end.
    pub(super) fn set_beats_sealed(&mut self, path: PathId, count: u64) {
        self.beats[path.index()] = count;
    }
}

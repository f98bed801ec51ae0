//! Question 1, the other half: what is true about the peer. Facts a path, the
//! newest thing it said, and how long it has been silent.
//!
//! Called by the core for every beat, carrier and late wake-up. Never decides a role.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Beat, Fitness, Heard, Leaving, PathHeard, RoleWord};
use crate::config::Pair;
use crate::ids::{BootId, Epoch, MAX_PATHS, NameTag, PathId, PathSet, Sequence};
use crate::shared::{Lists, Theirs};
use crate::time::Moment;
use crate::tuning::{LAG, TELL_PAUSE, Tuning};

/// What the peer said in its newest beat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) role: RoleWord,
    pub(crate) epoch: Epoch,
    pub(crate) grant: Epoch,
    pub(crate) handover: Epoch,
    pub(crate) ready: bool,
    pub(crate) fitness: Fitness,
    pub(crate) settings: u64,
    #[serde(default)]
    pub(crate) theirs: Theirs,
}

impl Said {
    fn of(beat: &Beat) -> Said {
        Said {
            role: beat.role,
            epoch: beat.epoch,
            grant: beat.grant,
            handover: beat.handover,
            ready: beat.ready,
            fitness: beat.fitness,
            settings: beat.settings,
            theirs: Theirs::of(beat),
        }
    }
}

/// How the peer stands. The order is that of getting worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Not heard in this run.
    NeverHeard,
    /// Heard in time.
    Alive,
    /// Late: being probed.
    Doubted,
    /// Silent for the detection time.
    Silent,
    /// Said goodbye.
    Left,
}

impl Phase {
    /// The word in `status`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Phase::NeverHeard => "never_heard",
            Phase::Alive => "alive",
            Phase::Doubted => "doubted",
            Phase::Silent => "silent",
            Phase::Left => "left",
        }
    }
}

/// One path, seen from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Path {
    pub(crate) carrier: bool,
    pub(crate) peer_carrier: bool,
    pub(crate) heard_at: Option<Moment>,
    pub(crate) sequence: Sequence,
    pub(crate) count: u64,
    /// Told as heard.
    pub(crate) told: bool,
    /// When that was told last, or the contrary.
    pub(crate) told_at: Option<Moment>,
}

/// The facts about the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) boot: Option<BootId>,
    pub(crate) said: Option<Said>,
    pub(crate) left: Option<Leaving>,
    pub(crate) heard_at: Option<Moment>,
    pub(crate) paths: [Path; MAX_PATHS],
    pub(crate) round_trip: Option<Duration>,
    newest: Sequence,
    /// Silence counts from here at the earliest: start, regained carrier, late wake-up.
    clock: Moment,
    count: usize,
    lists: Lists,
}

/// What a beat brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// The peer's guard is a new run.
    pub(crate) restarted: bool,
    /// It was not heard on any path before this one with this sequence.
    pub(crate) fresh: bool,
    /// How long ago the beat before it was heard, of whichever run.
    pub(crate) silence: Option<Duration>,
}

impl Peer {
    pub(crate) fn new(now: Moment, pair: &Pair) -> Peer {
        Peer {
            boot: None,
            said: None,
            left: None,
            heard_at: None,
            paths: [Path::default(); MAX_PATHS],
            round_trip: None,
            newest: Sequence(0),
            clock: now,
            count: pair.path_names().count(),
            lists: Lists::new(pair),
        }
    }

    /// What a beat says of each path, by our own numbers.
    pub(crate) fn align(&self, beat: &Beat) -> [PathHeard; MAX_PATHS] {
        self.lists.align(&beat.heard)
    }

    /// Takes in a beat, `theirs` being what it says of our paths. Content counts only
    /// when it is newer than all heard before.
    pub(crate) fn hear(
        &mut self,
        now: Moment,
        heard: &Heard,
        theirs: &[PathHeard; MAX_PATHS],
    ) -> Received {
        let restarted = self.boot != Some(heard.boot);
        let silence = self.heard_at.map(|at| now.since(at));
        if restarted {
            self.boot = Some(heard.boot);
            self.said = None;
            self.left = None;
            self.newest = Sequence(0);
            for path in &mut self.paths {
                path.sequence = Sequence(0);
                path.count = 0;
                path.told_at = None;
            }
        }
        let beat = &heard.beat;
        if let Some(path) = self.paths.get_mut(heard.path.index()) {
            path.heard_at = Some(now);
            path.sequence = path.sequence.max(beat.sequence);
            path.count += 1;
        }
        self.heard_at = Some(now);
        let fresh = beat.sequence > self.newest;
        if fresh {
            self.newest = beat.sequence;
            self.said = Some(Said::of(beat));
            self.left = beat.leaving;
            for (path, theirs) in self.paths.iter_mut().zip(theirs) {
                path.peer_carrier = theirs.carrier;
            }
        }
        Received { restarted, fresh, silence }
    }

    /// Whether a path with carrier, where the peer was heard, lacks more beats than a
    /// delay explains: lost there, or the carrier is gone and the kernel has not said
    /// so yet. An active peer uses all paths every `beat_all` times, one that only
    /// answers less often.
    pub(crate) fn misses_on_a_path(&self, beat_all: u32) -> bool {
        let speaks = self.said.as_ref().is_some_and(|said| said.role == RoleWord::Active);
        let lag = if speaks { u64::from(beat_all) } else { LAG };
        let behind =
            |path: &Path| path.carrier && path.told && path.sequence.0 + lag < self.newest.0;
        self.paths.iter().take(self.count).any(behind)
    }

    /// Whether the peer lacks our beats on a path with carrier that it hears us on
    /// otherwise, by more than `lag`: lost there, or our carrier is gone.
    pub(crate) fn lacks_ours(&self, heard: &[PathHeard; MAX_PATHS], lag: u64) -> bool {
        let newest = heard.iter().map(|path| path.sequence.0).max().unwrap_or(0);
        let behind = |(path, theirs): (&Path, &PathHeard)| {
            path.carrier && path.told && theirs.sequence.0 + lag < newest
        };
        self.paths.iter().zip(heard).take(self.count).any(behind)
    }

    /// Sets a path's own carrier. The first carrier after none at all restarts the
    /// clock of silence: nobody could have been heard before.
    pub(crate) fn carrier(&mut self, now: Moment, path: PathId, up: bool) -> bool {
        let isolated = self.connected().is_empty();
        let Some(entry) = self.paths.get_mut(path.index()) else { return false };
        let changed = entry.carrier != up;
        entry.carrier = up;
        if up && isolated {
            self.clock = self.clock.max(now);
        }
        changed
    }

    /// Time in which this node could not listen does not count as silence.
    pub(crate) fn woke_late(&mut self, now: Moment, by: Duration) {
        self.clock = (self.silent_since() + by).min(now).max(self.clock);
    }

    /// What this node believed of the peer's absence is too old to act on: the
    /// silence counts from now.
    pub(crate) fn forget_absence(&mut self, now: Moment) {
        self.clock = self.clock.max(now);
        self.left = None;
    }

    /// Since when the peer is silent on every path, for the purpose of declaring it dead.
    pub(crate) fn silent_since(&self) -> Moment {
        self.heard_at.map_or(self.clock, |heard| heard.max(self.clock))
    }

    /// How long the peer has been silent.
    pub(crate) fn silence(&self, now: Moment) -> Duration {
        now.since(self.silent_since())
    }

    /// Silence that makes this peer count as dead: longer after our own start.
    pub(crate) fn patience(&self, tuning: &Tuning) -> Duration {
        if self.heard_at.is_some() { tuning.detection } else { tuning.boot }
    }

    pub(crate) fn phase(&self, now: Moment, tuning: &Tuning) -> Phase {
        if self.left.is_some() {
            return Phase::Left;
        }
        let silence = self.silence(now);
        if silence >= self.patience(tuning) {
            return Phase::Silent;
        }
        match self.heard_at {
            None => Phase::NeverHeard,
            Some(_) if silence >= tuning.doubt => Phase::Doubted,
            Some(_) => Phase::Alive,
        }
    }

    /// Paths with carrier at this end.
    pub(crate) fn connected(&self) -> PathSet {
        let mut set = PathSet::EMPTY;
        for index in 0..self.count {
            if self.paths[index].carrier {
                set.insert(PathId(index as u8));
            }
        }
        set
    }

    /// Paths other than the HA link with carrier on which the peer was heard within T
    /// and, as far as it said last, still listens.
    pub(crate) fn side_paths(&self, now: Moment, tuning: &Tuning) -> PathSet {
        let mut set = PathSet::EMPTY;
        for path in self.connected().iter().filter(|path| *path != PathId::HA) {
            if self.alive_on(now, path, tuning) && self.shares(path) {
                set.insert(path);
            }
        }
        set
    }

    /// Whether the peer was heard on this path within T.
    pub(crate) fn alive_on(&self, now: Moment, path: PathId, tuning: &Tuning) -> bool {
        self.paths[path.index()].heard_at.is_some_and(|at| now.since(at) < tuning.detection)
    }

    /// Whether a path delivers, for people: silence there is told later than a
    /// passive's next answer on all paths.
    pub(crate) fn delivers(&self, now: Moment, path: PathId, tuning: &Tuning) -> bool {
        self.paths[path.index()].heard_at.is_some_and(|at| now.since(at) < tuning.path)
    }

    /// When a path's change may be told: at once, but not again and again on a bad line.
    pub(crate) fn tell_path_at(&self, path: PathId) -> Moment {
        self.paths[path.index()].told_at.map_or(Moment::ZERO, |at| at + TELL_PAUSE)
    }

    /// Whether the peer, as far as it said last, uses this path too.
    pub(crate) fn shares(&self, path: PathId) -> bool {
        self.said.as_ref().is_none_or(|said| self.lists.shares(path, &said.theirs))
    }

    /// What to tell the peer about what was heard from it. Of interfaces in `fresh`
    /// nothing is known yet; those in `healthy` are able to serve.
    pub(crate) fn report(&self, now: Moment, healthy: u64, fresh: u64) -> [PathHeard; MAX_PATHS] {
        std::array::from_fn(|index| {
            let path = self.paths[index];
            let bit = self.lists.bit(index);
            PathHeard {
                sequence: path.sequence,
                age: path.heard_at.map_or(Duration::ZERO, |at| now.since(at)),
                carrier: path.carrier,
                interface: if fresh & bit == 0 { self.lists.tag(index) } else { NameTag::NONE },
                healthy: healthy & bit != 0,
            }
        })
    }

    /// Tag of our own list.
    pub(crate) fn list(&self) -> NameTag {
        self.lists.own()
    }

    /// The interfaces whose health the two nodes can compare, by our numbers.
    pub(crate) fn comparable(&self) -> u64 {
        self.said.as_ref().map_or(u64::MAX, |said| self.lists.comparable(&said.theirs))
    }

    /// The peer's fitness as it last said, by our numbers, unless it left.
    pub(crate) fn fitness(&self) -> Option<Fitness> {
        match (&self.said, self.left) {
            (Some(said), None) => {
                let healthy = self.lists.healthy(said.fitness.healthy, &said.theirs);
                Some(Fitness { healthy, ..said.fitness })
            }
            (Some(_) | None, _) => None,
        }
    }

    /// The facts after a change of our own list: paths keep what is known of their
    /// interfaces.
    pub(crate) fn relist(&mut self, pair: &Pair) {
        let (lists, before) = (Lists::new(pair), self.paths);
        for index in 0..MAX_PATHS {
            let kept = self.lists.path_of(lists.tag(index));
            self.paths[index] = kept.map_or(Path::default(), |old| before[old.index()]);
        }
        self.count = pair.path_names().count();
        self.lists = lists;
    }

    /// Whether the peer was heard within T on a path that has a place in `pair` too.
    pub(crate) fn alive_beyond(&self, now: Moment, pair: &Pair, tuning: &Tuning) -> bool {
        let lists = Lists::new(pair);
        let stays = |path: &PathId| lists.path_of(self.lists.tag(path.index())).is_some();
        let paths = (0..self.count).map(|index| PathId(index as u8));
        paths.filter(stays).any(|path| self.alive_on(now, path, tuning))
    }

    /// Number of paths in use.
    pub(crate) fn path_count(&self) -> usize {
        self.count
    }
}

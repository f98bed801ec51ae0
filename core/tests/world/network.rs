//! Cables, switches and what becomes of the frames on them.
//!
//! Medium 0 is the HA link, then the interfaces of the pair in their order. The
//! network also keeps the book that the judge asks: since when did it deliver?

use super::clock::{Time, ms, us};
use super::prng::Prng;

/// One of the two machines: 0 is `a`, the primary; 1 is `b`.
pub(crate) type Side = usize;

/// How long after a frame was sent it may arrive for the network to count as delivering.
const PROMPT: Time = ms(4);

/// The short tolerance: an early claim's questions go out over 10 ms.
const SHORT: Time = ms(8);

/// One direction of a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Frames lost of 1000.
    pub(crate) loss: u64,
    /// Frames doubled of 1000.
    pub(crate) doubled: u64,
    /// Shortest delay.
    pub(crate) fast: Time,
    /// Longest delay; frames overtake one another when it differs.
    pub(crate) slow: Time,
    /// Nothing passes, though carrier stays.
    pub(crate) cut: bool,
}

impl Lane {
    /// A healthy lane.
    pub(crate) const SOUND: Lane =
        Lane { loss: 0, doubled: 0, fast: us(20), slow: us(80), cut: false };
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == Lane::SOUND {
            return f.write_str("sound");
        }
        if self.cut {
            return f.write_str("cut");
        }
        let (loss, slow) = (self.loss / 10, self.slow / 1_000);
        write!(f, "{loss} % lost, {} % doubled, up to {slow} us", self.doubled / 10)
    }
}

/// One cable or segment that joins the two machines.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    /// Each machine sends and hears beats here: the HA link or a watched interface.
    pub(crate) is_path: [bool; 2],
    /// A switch lies between the ports (else one cable).
    pub(crate) switched: bool,
    /// The switch has power.
    pub(crate) switch_on: bool,
    /// The cable at each machine's port is plugged in.
    pub(crate) plugged: [bool; 2],
    /// The interface is set up on each machine.
    pub(crate) set_up: [bool; 2],
    /// From `a` to `b`, and back.
    pub(crate) lanes: [Lane; 2],
}

impl Medium {
    /// A healthy medium.
    pub(crate) fn sound(switched: bool, is_path: bool) -> Medium {
        Medium {
            is_path: [is_path; 2],
            switched,
            switch_on: true,
            plugged: [true; 2],
            set_up: [true; 2],
            lanes: [Lane::SOUND; 2],
        }
    }

    /// Whether the port of `side` has carrier.
    pub(crate) fn carrier(&self, side: Side, powered: [bool; 2]) -> bool {
        let own = powered[side] && self.set_up[side] && self.plugged[side];
        if self.switched {
            return own && self.switch_on;
        }
        let other = 1 - side;
        own && powered[other] && self.set_up[other] && self.plugged[other]
    }
}

/// Frames of one direction, over all media, that did not come through.
#[derive(Clone, Copy, Debug, Default)]
struct Drought {
    /// The first and the last send since something came through.
    open: Option<(Time, Time)>,
    /// When the last drought longer than the short, and the long tolerance was seen.
    short: Option<Time>,
    long: Option<Time>,
}

/// All media and the book.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// HA link first.
    pub(crate) media: Vec<Medium>,
    /// Frames sent, lost and doubled so far.
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    droughts: [Drought; 2],
    long: Time,
}

impl Network {
    /// `media` in good health. A direction in which everything sent over a span
    /// longer than `long` was lost counts as having failed to deliver.
    pub(crate) fn new(media: Vec<Medium>, long: Time) -> Network {
        Network { media, sent: 0, lost: 0, droughts: [Drought::default(); 2], long }
    }

    /// Sends one frame on `medium`; gives the times at which it arrives.
    pub(crate) fn send(
        &mut self,
        time: Time,
        from: Side,
        medium: usize,
        powered: [bool; 2],
        prng: &mut Prng,
    ) -> Vec<Time> {
        self.sent += 1;
        let arrivals = self.arrivals(time, from, medium, powered, prng);
        self.lost += u64::from(arrivals.is_empty());
        let listens = self.media[medium].is_path[1 - from];
        let prompt = listens && arrivals.iter().any(|at| *at <= time + PROMPT);
        // What is sent to a machine without power says nothing about the network.
        self.enter(time, from, prompt || !powered[1 - from]);
        arrivals
    }

    fn arrivals(
        &self,
        time: Time,
        from: Side,
        medium: usize,
        powered: [bool; 2],
        prng: &mut Prng,
    ) -> Vec<Time> {
        let medium = &self.media[medium];
        let lane = medium.lanes[from];
        let joined = medium.carrier(from, powered) && medium.carrier(1 - from, powered);
        if !joined || lane.cut || prng.chance(lane.loss) {
            return Vec::new();
        }
        let mut arrivals = vec![time + prng.between(lane.fast, lane.slow)];
        if prng.chance(lane.doubled) {
            arrivals.push(time + prng.between(lane.fast, lane.slow.saturating_mul(2)));
        }
        arrivals
    }

    fn enter(&mut self, time: Time, from: Side, delivered: bool) {
        let drought = &mut self.droughts[from];
        if delivered {
            drought.open = None;
            return;
        }
        let first = drought.open.map_or(time, |(first, _)| first);
        drought.open = Some((first, time));
        if time - first >= SHORT {
            drought.short = Some(time);
        }
        if time - first >= self.long {
            drought.long = Some(time);
        }
    }

    /// Without a path between two ports that have carrier nothing is sent, and
    /// nothing would be delivered.
    pub(crate) fn look(&mut self, time: Time, powered: [bool; 2]) {
        let joined = |medium: &Medium| {
            medium.is_path == [true; 2] && (0..2).all(|side| medium.carrier(side, powered))
        };
        if powered == [true; 2] && !self.media.iter().any(joined) {
            for drought in &mut self.droughts {
                drought.short = Some(time);
                drought.long = Some(time);
            }
        }
    }

    /// Whether in both directions no drought longer than the tolerance was seen since
    /// `since`.
    pub(crate) fn delivered_since(&self, since: Time) -> bool {
        self.droughts.iter().all(|drought| drought.long.is_none_or(|at| at < since))
    }

    /// The same by the tolerance of an early claim's evidence.
    pub(crate) fn answered_since(&self, since: Time) -> bool {
        self.droughts.iter().all(|drought| drought.short.is_none_or(|at| at < since))
    }

    /// Whether a machine has a link over which it could serve: a watched interface
    /// with carrier, or any path where none is watched.
    pub(crate) fn can_serve(&self, side: Side, powered: [bool; 2]) -> bool {
        let watched = || self.media.iter().skip(1).filter(|medium| medium.is_path[side]);
        match watched().next() {
            Some(_) => watched().any(|medium| medium.carrier(side, powered)),
            None => self.media[0].carrier(side, powered),
        }
    }

    /// Whether some path is without any fault in both directions now.
    pub(crate) fn sound(&self, powered: [bool; 2]) -> bool {
        self.media.iter().filter(|medium| medium.is_path == [true; 2]).any(|medium| {
            (0..2).all(|side| medium.carrier(side, powered))
                && medium
                    .lanes
                    .iter()
                    .all(|lane| !lane.cut && lane.loss == 0 && lane.slow <= PROMPT)
        })
    }
}

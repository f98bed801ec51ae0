//! What became of each connection, by its logs. Pure but for reading them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use twinwall_core::time::Moment;

use super::Kind;
use super::wire::Line;
use crate::traffic::log::{Probe, ProbeLog};
use crate::traffic::measure::longest_silence;
use crate::traffic::report::{Window, millis, probes_after};

/// A pause longer than the floor by this is a pause; shorter ones nobody can tell from none.
const FELT: Duration = Duration::from_millis(10);
/// A connection of which nothing came for so long at the end is lost: TCP has repeated what was
/// lost twice by then.
const GIVEN_UP: Duration = Duration::from_secs(1);

/// What became of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It went on as if nothing had happened.
    Alive,
    /// It paused, and went on.
    Resumed,
    /// It was reset, or is silent.
    Lost,
}

/// What became of the connections of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindSeen {
    /// Which kind.
    pub kind: Kind,
    /// Those that never paused.
    pub alive: usize,
    /// Those that paused and went on.
    pub resumed: usize,
    /// Those that were reset or are silent.
    pub lost: usize,
    /// Longest pause of those that are not lost.
    #[serde(serialize_with = "millis", rename = "longest_pause_ms")]
    pub longest_pause: Duration,
    /// The same of all before the fault.
    #[serde(serialize_with = "millis", rename = "floor_ms")]
    pub floor: Duration,
}

/// Whether an FTP session that was opened before the fault still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FtpSeen {
    /// A command is answered.
    pub control: bool,
    /// A transfer that was announced before the fault gets through after it.
    pub announced_before: bool,
    /// So does one that is announced after it.
    pub announced_after: bool,
}

impl FtpSeen {
    /// Whether all of it works.
    pub fn works(self) -> bool {
        self.control && self.announced_before && self.announced_after
    }
}

/// What became of all connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionsSeen {
    /// Those that never paused.
    pub alive: usize,
    /// Those that paused and went on.
    pub resumed: usize,
    /// Those that were reset or are silent.
    pub lost: usize,
    /// Longest pause of those that are not lost, either way.
    #[serde(serialize_with = "millis", rename = "longest_pause_ms")]
    pub longest_pause: Duration,
    /// Longest pause before the fault.
    #[serde(serialize_with = "millis", rename = "floor_ms")]
    pub floor: Duration,
    /// The same by kind.
    pub kinds: Vec<KindSeen>,
    /// The FTP session, where there is one.
    pub ftp: Option<FtpSeen>,
}

/// One connection.
struct LineSeen {
    fate: Fate,
    pause: Duration,
    floor: Duration,
}

/// All of them.
pub(super) fn of(lines: &[Arc<Line>], window: &Window) -> ConnectionsSeen {
    let mut by_kind: BTreeMap<Kind, Vec<LineSeen>> = BTreeMap::new();
    for line in lines {
        by_kind.entry(line.kind).or_default().push(judge(line, window));
    }
    let kinds: Vec<KindSeen> =
        by_kind.into_iter().map(|(kind, lines)| gathered(kind, &lines)).collect();
    let sum = |count: fn(&KindSeen) -> usize| kinds.iter().map(count).sum();
    let longest = |span: fn(&KindSeen) -> Duration| kinds.iter().map(span).max();
    ConnectionsSeen {
        alive: sum(|kind| kind.alive),
        resumed: sum(|kind| kind.resumed),
        lost: sum(|kind| kind.lost),
        longest_pause: longest(|kind| kind.longest_pause).unwrap_or_default(),
        floor: longest(|kind| kind.floor).unwrap_or_default(),
        kinds,
        ftp: None,
    }
}

fn gathered(kind: Kind, lines: &[LineSeen]) -> KindSeen {
    let count = |fate: Fate| lines.iter().filter(|line| line.fate == fate).count();
    let going_on = lines.iter().filter(|line| line.fate != Fate::Lost);
    KindSeen {
        kind,
        alive: count(Fate::Alive),
        resumed: count(Fate::Resumed),
        lost: count(Fate::Lost),
        longest_pause: going_on.map(|line| line.pause).max().unwrap_or_default(),
        floor: lines.iter().map(|line| line.floor).max().unwrap_or_default(),
    }
}

fn judge(line: &Line, window: &Window) -> LineSeen {
    let ways = line.logs.each_ref().map(|log| way(log, window));
    let pause = ways.iter().map(|way| way.pause).max().unwrap_or_default();
    let floor = ways.iter().map(|way| way.floor).max().unwrap_or_default();
    let broken = line.broken().is_some_and(|at| at <= window.until);
    let fate = if broken || ways.iter().any(|way| way.fate == Fate::Lost) {
        Fate::Lost
    } else if pause > floor + FELT {
        Fate::Resumed
    } else {
        Fate::Alive
    };
    LineSeen { fate, pause, floor }
}

/// One direction; one in which nothing is sent is alive.
fn way(log: &ProbeLog, window: &Window) -> LineSeen {
    let before = log.between(window.quiet_from, window.quiet_to());
    let after = probes_after(log, window);
    let fate = if is_silent(&after, window.until) { Fate::Lost } else { Fate::Alive };
    LineSeen {
        fate,
        pause: longest_silence(&after, window.until).span,
        floor: longest_silence(&before, window.quiet_to()).span,
    }
}

/// Whether what was sent long before the end never came, and nothing after it.
fn is_silent(probes: &[Probe], until: Moment) -> bool {
    let awaited = probes.iter().rposition(|probe| probe.answered.is_some()).map_or(0, |it| it + 1);
    probes.get(awaited).is_some_and(|probe| probe.sent + GIVEN_UP <= until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    const WINDOW: Window = Window {
        quiet_from: Moment::ZERO,
        fault: Moment::from_millis(1000),
        until: Moment::from_millis(4000),
    };

    /// A record each 10 ms each way; those sent from 1,000 ms on for `held` come together.
    fn line(held: u64, to: u64) -> Arc<Line> {
        let line = Line::new(Kind::Tcp, 1000);
        for log in &line.logs {
            for sent in (0..to).step_by(10) {
                let number = log.send(at(sent)).expect("there is room");
                let there = if (1000..1000 + held).contains(&sent) { 1000 + held } else { sent };
                log.answer(number, at(there + 1), None);
            }
        }
        Arc::new(line)
    }

    #[test]
    fn a_connection_is_alive_or_resumed_by_its_longest_pause() {
        let seen = of(&[line(0, 4000), line(50, 4000)], &WINDOW);
        assert_eq!((seen.alive, seen.resumed, seen.lost), (1, 1, 0), "{seen:?}");
        assert_eq!(seen.longest_pause, Duration::from_millis(51));
        assert_eq!(seen.floor, Duration::from_millis(1));
    }

    #[test]
    fn one_that_stays_silent_is_lost_and_its_pause_counts_for_nothing() {
        let silent = line(0, 1000);
        for sent in (1000..4000).step_by(10) {
            silent.logs[0].send(at(sent)).expect("there is room");
        }
        let seen = of(&[silent, line(20, 4000)], &WINDOW);
        assert_eq!((seen.alive, seen.resumed, seen.lost), (0, 1, 1), "{seen:?}");
        assert_eq!(seen.longest_pause, Duration::from_millis(21));
    }

    #[test]
    fn a_datagram_lost_on_the_way_does_not_make_a_stream_lost() {
        let stream = line(0, 2000);
        stream.logs[1].send(at(2000)).expect("there is room");
        for sent in (2010..4000).step_by(10) {
            let number = stream.logs[1].send(at(sent)).expect("there is room");
            stream.logs[1].answer(number, at(sent + 1), None);
        }
        assert_eq!(of(&[stream], &WINDOW).lost, 0);
    }
}

//! What the probes saw around one fault: [`Probes::measure`] and its result.

use std::io;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use serde::{Serialize, Serializer};

use twinwall_core::time::Moment;

use super::log::{Mac, Probe, ProbeLog};
use super::measure::{Loss, answered_by, longest_pause, longest_silence, loss, two_answer};
use super::plan::{Side, StreamKind};
use super::run::Probes;
use super::stream::Stream;
use super::sweep::SweepResult;
use crate::clock::now;

/// Time in which an answer to a probe may still come: looked at after a window for
/// the answers to its last probes, and before a fault for the probes that were
/// on their way when it came.
const SETTLE: Duration = Duration::from_millis(100);

/// The times that a measure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From here to the fault nothing was wrong: the floor is measured here.
    pub quiet_from: Moment,
    /// When the fault was injected.
    pub fault: Moment,
    /// Until here its effects are measured.
    pub until: Moment,
}

/// What one stream saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamMeasured {
    /// Where it was sent from.
    pub side: Side,
    /// How it asked.
    pub kind: StreamKind,
    /// Whom it asked.
    pub target: IpAddr,
    /// Probes sent after the fault, or on their way when it came.
    pub sent: u32,
    /// Those of them that were never answered.
    pub lost: u32,
    /// Probes lost in the quiet time: more than none means that something else is wrong.
    pub lost_before: u32,
    /// Longest silence after the fault.
    #[serde(serialize_with = "millis", rename = "silence_ms")]
    pub silence: Duration,
    /// From the fault to where that silence began.
    #[serde(serialize_with = "millis", rename = "silence_began_ms")]
    pub silence_began: Duration,
    /// Longest silence before the fault.
    #[serde(serialize_with = "millis", rename = "floor_ms")]
    pub floor: Duration,
    /// Longest time between two probes after the fault.
    #[serde(serialize_with = "millis", rename = "pause_ms")]
    pub pause: Duration,
}

/// What a client saw of one fault. Definitions: head of [`super`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Longest silence of the routed probes.
    #[serde(serialize_with = "millis", rename = "outage_ms")]
    pub outage: Duration,
    /// The same before the fault.
    #[serde(serialize_with = "millis", rename = "floor_ms")]
    pub floor: Duration,
    /// Longest time in which the client sent nothing after the fault. Much more than
    /// the probes' spacing: the machine stood still, and what it carried was held up.
    #[serde(serialize_with = "millis", rename = "client_pause_ms")]
    pub client_pause: Duration,
    /// Routed probes sent after the fault, or on their way when it came.
    pub sent: u32,
    /// Routed probes that were never answered.
    pub lost: u32,
    /// Longest silence of the pings to IPv4 VIPs, where there were any.
    #[serde(serialize_with = "optional_millis", rename = "vip_silence_ipv4_ms")]
    pub vip_silence_ipv4: Option<Duration>,
    /// Longest silence of the pings to IPv6 VIPs, where there were any.
    #[serde(serialize_with = "optional_millis", rename = "vip_silence_ipv6_ms")]
    pub vip_silence_ipv6: Option<Duration>,
    /// The pings' longest silence before the fault.
    #[serde(serialize_with = "millis", rename = "vip_floor_ms")]
    pub vip_floor: Duration,
    /// How long two hardware addresses answered for one VIP.
    #[serde(serialize_with = "millis", rename = "two_answer_ms")]
    pub two_answer: Duration,
    /// Since the fault: VIP, time after the fault, hardware address that began to answer.
    #[serde(serialize_with = "changes")]
    pub answered_by: Vec<(IpAddr, Duration, Mac)>,
    /// TCP connections that broke after the fault.
    pub tcp_broken: usize,
    /// Longest silence of a TCP connection that did not break.
    #[serde(serialize_with = "optional_millis", rename = "tcp_longest_stall_ms")]
    pub tcp_longest_stall: Option<Duration>,
    /// From the fault to the new owner's first answer for the last of the swept
    /// VIPs; nothing while one of them has not moved.
    #[serde(serialize_with = "optional_millis", rename = "per_vip_last_ms")]
    pub per_vip_last: Option<Duration>,
    /// Swept VIPs that moved.
    pub vips_moved: usize,
    /// Every stream by itself.
    pub streams: Vec<StreamMeasured>,
}

impl Probes {
    /// What the probes saw of the fault. Waits until 100 ms after the window, so
    /// that the last answers are in. Refuses a window that the logs do not cover.
    pub fn measure(&self, window: &Window) -> io::Result<Measured> {
        if window.quiet_from < self.started || window.fault > window.until {
            let text =
                "the window to be measured begins before the probes or ends before the fault";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        window.settle();
        self.refuse_full_logs()?;
        let streams: Vec<StreamMeasured> = self
            .streams
            .iter()
            .map(|(side, stream)| measure_stream(*side, stream, window))
            .collect();
        let of = |kind: StreamKind| streams.iter().filter(move |stream| stream.kind == kind);
        let longest = |kind, ipv6| {
            let family = of(kind).filter(|stream| stream.target.is_ipv6() == ipv6);
            family.map(|stream| stream.silence).max()
        };
        let most = |kind: StreamKind, value: fn(&StreamMeasured) -> Duration| {
            of(kind).map(value).max().unwrap_or_default()
        };
        let sweep = self.sweep.as_ref().map(|sweep| sweep.result(window.fault));
        Ok(Measured {
            outage: most(StreamKind::Routed, |stream| stream.silence),
            floor: most(StreamKind::Routed, |stream| stream.floor),
            client_pause: most(StreamKind::Routed, |stream| stream.pause),
            sent: of(StreamKind::Routed).map(|stream| stream.sent).sum(),
            lost: of(StreamKind::Routed).map(|stream| stream.lost).sum(),
            vip_silence_ipv4: longest(StreamKind::Ping, false),
            vip_silence_ipv6: longest(StreamKind::Ping, true),
            vip_floor: most(StreamKind::Ping, |stream| stream.floor),
            two_answer: self.two_answer(window),
            answered_by: self.answered_by(window),
            tcp_broken: self
                .connections
                .iter()
                .filter(|one| one.broken() >= Some(window.fault))
                .count(),
            tcp_longest_stall: self.longest_stall(window),
            per_vip_last: sweep.and_then(whole_move),
            vips_moved: sweep.map_or(0, |sweep| sweep.moved),
            streams,
        })
    }

    fn refuse_full_logs(&self) -> io::Result<()> {
        let full = self.streams.iter().any(|(_, stream)| stream.log.is_full())
            || self.connections.iter().any(|connection| connection.log.is_full());
        if full {
            let text = "the probes' logs are full: make the plan's longest run longer";
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        Ok(())
    }

    fn two_answer(&self, window: &Window) -> Duration {
        let logs = self.streams.iter().map(|(_, stream)| &stream.log);
        let spans = logs.map(|log| two_answer(&log.between(window.fault, window.until)));
        spans.max().unwrap_or_default()
    }

    fn answered_by(&self, window: &Window) -> Vec<(IpAddr, Duration, Mac)> {
        let mut all = Vec::new();
        for (_, stream) in &self.streams {
            let probes = stream.log.between(window.quiet_from, window.until);
            let changes = answered_by(&probes).into_iter().filter(|(at, _)| *at >= window.fault);
            all.extend(changes.map(|(at, mac)| (stream.target, at.since(window.fault), mac)));
        }
        all
    }

    fn longest_stall(&self, window: &Window) -> Option<Duration> {
        let working = self.connections.iter().filter(|connection| connection.broken().is_none());
        let stall = |log| longest_silence(&probes_after(log, window), window.until).span;
        working.map(|connection| stall(&connection.log)).max()
    }
}

/// The last moment of a move, once every VIP has moved.
fn whole_move(sweep: SweepResult) -> Option<Duration> {
    if sweep.moved == sweep.total { sweep.last } else { None }
}

impl Window {
    /// Waits until the answers to the window's last probes are in.
    pub(super) fn settle(&self) {
        thread::sleep((self.until + SETTLE).since(now()));
    }

    /// Where the quiet time ends: what was sent later may have met the fault.
    pub(super) fn quiet_to(&self) -> Moment {
        self.fault.before(SETTLE).max(self.quiet_from)
    }
}

/// The probes that the fault can have met.
pub(super) fn probes_after(log: &ProbeLog, window: &Window) -> Vec<Probe> {
    let mut probes = log.between(window.quiet_to(), window.until);
    probes.retain(|probe| {
        probe.sent >= window.fault || probe.answered.is_none_or(|at| at >= window.fault)
    });
    probes
}

fn measure_stream(side: Side, stream: &Stream, window: &Window) -> StreamMeasured {
    let before = stream.log.between(window.quiet_from, window.quiet_to());
    let after = probes_after(&stream.log, window);
    let Loss { sent, lost } = loss(&after);
    let silence = longest_silence(&after, window.until);
    StreamMeasured {
        side,
        kind: stream.kind,
        target: stream.target,
        sent,
        lost,
        lost_before: loss(&before).lost,
        silence: silence.span,
        silence_began: silence.from.since(window.fault),
        floor: longest_silence(&before, window.quiet_to()).span,
        pause: longest_pause(&after),
    }
}

fn as_millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

/// For `serialize_with`: milliseconds with three decimals.
pub(super) fn millis<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(as_millis(*span))
}

fn optional_millis<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    span.map(as_millis).serialize(to)
}

fn changes<S: Serializer>(list: &[(IpAddr, Duration, Mac)], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Change {
        vip: IpAddr,
        at_ms: f64,
        mac: String,
    }
    to.collect_seq(list.iter().map(|(vip, at, mac)| Change {
        vip: *vip,
        at_ms: as_millis(*at),
        mac: mac.to_string(),
    }))
}

//! Every span of time that the core works with, derived once from the pair's
//! settings. The letters are DESIGN's: T detection time, L lease.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{LEASE_MARGIN, Pair, lease_of};

/// Answering ends first, forwarding this much later: what the network still sends
/// to the old active is not lost.
pub(crate) const FORWARD: Duration = Duration::from_millis(300);
/// Distance of the questions of an early claim.
pub(crate) const QUESTION: Duration = Duration::from_millis(2);
/// Questions a round: on a bad line one may be lost.
pub(crate) const QUESTIONS: u8 = 2;
/// Evidence rounds that must stay unanswered.
pub(crate) const ROUNDS: u8 = 3;
/// An early claim must follow the loss of the HA carrier this closely: later, a
/// dead cable says nothing about the peer any more.
pub(crate) const EVIDENCE_WINDOW: Duration = Duration::from_secs(1);
/// First pause after a refuted evidence round; doubles.
pub(crate) const EVIDENCE_PAUSE: Duration = Duration::from_millis(8);
/// How long a handover may take until it is given up.
pub(crate) const HANDOVER_LIMIT: Duration = Duration::from_secs(1);
/// Pause after a handover that was given up.
pub(crate) const HANDOVER_PAUSE: Duration = Duration::from_secs(5);
/// How long a planned move waits for the peer's connections. What takes longer than this
/// has a cause that waiting does not mend.
pub const CONNECTIONS_LIMIT: Duration = Duration::from_secs(30);
/// How long what an agent said of connections holds after it has left: one that is started
/// again has said it anew by then.
pub(crate) const AGENT_GRACE: Duration = Duration::from_secs(5);
/// How long a node that could not apply its addresses holds itself unfit.
pub(crate) const APPLY_PAUSE: Duration = Duration::from_secs(10);
/// Fastest repetition of a gate opening that was refused.
pub(crate) const OPEN_PAUSE: Duration = Duration::from_millis(2);
/// A confirmation must leave at least this much life to open a gate on it.
pub(crate) const OPEN_LEAST: Duration = Duration::from_millis(2);
/// Answers to one peer are at least this far apart.
pub(crate) const ANSWER_PAUSE: Duration = Duration::from_micros(500);
/// How long the last beats of a leaving node are given to get out.
pub(crate) const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// A passive node answers each beat of the active on the path that brought it first,
/// and every so many times on all: enough to know that they deliver, at a third of the cost.
pub(crate) const ANSWER_ALL: u32 = 4;
/// An active node's beats go out on a path that is known to deliver, and every second
/// one on all, where T leaves room for it: half the cost for the side paths.
const BEAT_ALL: u32 = 2;
/// Beats by which a path may lag behind the others while its sender only answers.
pub(crate) const LAG: u64 = ANSWER_ALL as u64 + 1;
/// A path is told as lost or heard at most this often.
pub(crate) const TELL_PAUSE: Duration = Duration::from_secs(5);
/// Beats that are missing on one path make this node look at its carriers, no more often than this.
pub(crate) const CHECK_PAUSE: Duration = Duration::from_millis(250);
/// A longer delay than this counts as waking late.
pub(crate) const LATE: Duration = Duration::from_millis(5);

/// Probes in which a peer must confirm a lease that ran out while its node was kept from running.
const ASKED_AGAIN: u32 = 3;
const PROBE: Duration = Duration::from_millis(5);
const PING_FASTEST: Duration = Duration::from_millis(20);
const PING_SLOWEST: Duration = Duration::from_millis(500);
/// A beat, an answer and a late wake-up on their way.
const PING_SLACK: Duration = Duration::from_millis(5);
/// A target may be this far away: an older answer says nothing, however short T is.
const PING_VALID_LEAST: Duration = Duration::from_millis(100);

/// Spans derived from the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tuning {
    /// T: silence on every path after which the peer counts as dead.
    pub(crate) detection: Duration,
    /// Silence after which one path counts as silent while others deliver.
    pub(crate) path: Duration,
    /// L: life of the lease from the sending of a confirmed beat.
    pub(crate) lease: Duration,
    /// Distance of own beats: the interval, or less where the lease is so short
    /// that one beat an interval would not keep it.
    pub(crate) period: Duration,
    /// An active node's beats go out on all paths every so many times, else on one.
    pub(crate) beat_all: u32,
    /// Silence after which both nodes probe.
    pub(crate) doubt: Duration,
    /// Distance of probes.
    pub(crate) probe: Duration,
    /// How long a node that woke after its lease had ended asks the peer before it yields.
    pub(crate) ask_again: Duration,
    /// How long before its lease ends the active decides whether it is alone.
    pub(crate) decide: Duration,
    /// Silence that makes 'alone' believable at that moment.
    pub(crate) believable: Duration,
    /// Silence after a start before anything is claimed.
    pub(crate) boot: Duration,
    /// Distance of pings to the targets while in doubt; four times that otherwise.
    pub(crate) ping: Duration,
    /// Age at which a target's answer no longer counts.
    pub(crate) ping_valid: Duration,
}

/// The lease that a peer with this patience allows. No honest patience is too short
/// for one ([`Pair`]'s checks see to that).
fn lease_within(patience: Duration) -> Option<Duration> {
    (patience > LEASE_MARGIN).then(|| lease_of(patience))
}

impl Tuning {
    /// Derives all spans. A peer that counts us as dead earlier than we it, as while
    /// a reload has reached one node only, shortens our lease; zero: not known.
    pub(crate) fn new(pair: &Pair, peer_patience: Duration) -> Tuning {
        let interval = pair.interval;
        let detection = pair.detection();
        let lease = match lease_within(peer_patience) {
            Some(shorter) => pair.lease().min(shorter),
            None => pair.lease(),
        };
        let doubt = interval + (interval / 4).max(Duration::from_millis(2));
        let probe = PROBE.min(interval / 4);
        let decide = Duration::from_millis(12).min(lease / 5);
        // What a target answered right before a cut, at most an interval after the peer's
        // last beat, must be too old when the node decides whether it is alone.
        let old = lease.saturating_sub(decide + interval + PING_SLACK);
        let ping = interval.min(PING_SLOWEST).min(detection / 4).min(old / 2).max(PING_FASTEST);
        let ping = ping.min(detection / 4);
        let period = interval.min(lease * 2 / 5);
        // An early claim needs a side path that was heard within T until its last question.
        let evidence = QUESTION * u32::from(ROUNDS * QUESTIONS);
        let room = period * BEAT_ALL + evidence * 2 <= detection;
        Tuning {
            detection,
            // Two answers on all paths may be lost, the third not.
            path: detection.max(interval * (2 * ANSWER_ALL + 1)),
            lease,
            period,
            beat_all: if room { BEAT_ALL } else { 1 },
            doubt,
            probe,
            ask_again: probe * ASKED_AGAIN,
            decide,
            // More than one beat must have gone unanswered, as far as the lease leaves time.
            believable: (lease / 2).max((doubt + probe * 2).min(lease - decide * 2)),
            boot: pair.boot_hold.max(detection),
            ping,
            ping_valid: PING_VALID_LEAST.max((ping * 2).min(old)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning(interval: &str, threshold: u8) -> Tuning {
        let text = format!(
            "pair_id = 1\n[heartbeat]\ninterval = {interval}\nthreshold = {threshold}\n\
             [ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\nwatch = true\n\
             primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n"
        );
        let pair = crate::config::parse_pair("pair.toml", &text).expect("good settings");
        Tuning::new(&pair, Duration::ZERO)
    }

    #[test]
    fn the_spans_leave_room_for_each_other_at_every_setting() {
        let settings = [
            ("0.01", 3),
            ("0.02", 2),
            ("0.02", 5),
            ("0.05", 2),
            ("0.05", 3),
            ("0.1", 2),
            ("0.1", 3),
            ("0.25", 2),
            ("1", 2),
            ("1", 3),
            ("60", 2),
            ("60", 200),
        ];
        for (interval, threshold) in settings {
            let tuning = tuning(interval, threshold);
            let name = format!("{interval} s, threshold {threshold}: {tuning:?}");
            assert!(tuning.detection - tuning.lease >= Duration::from_millis(10), "{name}");
            assert!(tuning.detection - tuning.lease >= tuning.detection / 1000, "{name}");
            assert!(tuning.period * 2 < tuning.lease, "one beat may be lost: {name}");
            assert!(tuning.believable + tuning.decide <= tuning.lease, "{name}");
            // One lost beat, and an answer to either of two probes after it, make nobody
            // alone: only where the lease is too short for that, half of it must do.
            let room = tuning.lease - tuning.decide * 2;
            let two_probes = tuning.doubt + tuning.probe * 2;
            assert!(tuning.believable >= two_probes.min(room), "{name}");
            assert!(tuning.believable >= tuning.lease / 2, "{name}");
            // An answer of a target from before a cut is too old at the decision.
            let interval = Duration::from_secs_f64(interval.parse().expect("seconds"));
            let missed = interval * (u32::from(threshold) - 1);
            let old = tuning.ping_valid + interval + tuning.decide;
            assert!(old < tuning.lease || missed < Duration::from_millis(130), "{name}");
            assert!(tuning.ping * 2 <= tuning.ping_valid, "one ping may be lost: {name}");
        }
    }
}

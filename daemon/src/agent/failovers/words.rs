//! The words of a report.

use std::time::Duration;

use twinwall_core::explain::span;
use twinwall_core::note::Reason;

use super::build::{Move, Scene};
use super::{Kind, Summary};

/// A clock that was compared this long after the move may have drifted, in microseconds.
const SOON: i64 = 60_000_000;

/// Milliseconds, exact where they are few: `0.8 ms`, `290 ms`, `3.2 s`.
pub(super) fn span_ms(ms: f64) -> String {
    if ms < 10.0 {
        return format!("{ms:.1} ms");
    }
    span(Duration::from_secs_f64(ms.min(1e12) / 1000.0))
}

/// Why the role moved, in a sentence without its full stop.
pub(super) fn reason(scene: &Scene<'_>, one: &Move<'_>) -> String {
    let new = scene.name(one.to);
    let old = one.from.filter(|from| *from != one.to).map_or("the other node", |it| scene.name(it));
    let cause = one.cause();
    match cause {
        Reason::PeerSilent => format!("{old} was silent on every path"),
        Reason::PeerPoweredOff => {
            format!("the HA cable was dead, and neither {old} nor its kernel answered")
        }
        Reason::PeerLeft => format!("{old} said goodbye"),
        Reason::PeerRestarted => format!("the guard of {old} was started again"),
        Reason::PeerHandsOver => format!("{old} handed over"),
        Reason::PeerHasMoreLinks => format!("{old} had lost watched interfaces that {new} had"),
        Reason::PeerReachesMore => format!("{new} reached gateways that {old} did not"),
        Reason::CheckFailed => format!("a check failed on {old}"),
        Reason::NeverSynchronised => format!("{old} had no configuration of the pair"),
        Reason::Maintenance => format!("{old} went into maintenance"),
        Reason::Switchover => "a switchover was ordered".to_owned(),
        Reason::Failback => format!("failback: {new} is the primary, and was fit again"),
        Reason::Leaving => format!("{old} was stopped, shut down or rebooted"),
        Reason::LeaseRanOut => format!("the lease of {old} ran out"),
        Reason::WokeLate => format!("{old} was kept from running"),
        Reason::Isolated => format!("{old} had no carrier on any path"),
        Reason::NobodyServed => "nobody served".to_owned(),
        Reason::Starting
        | Reason::PeerServes
        | Reason::PeerPreferred
        | Reason::HigherEpoch
        | Reason::TieToPrimary
        | Reason::TargetsSilent
        | Reason::ApplyFailed
        | Reason::AwaitsConnections
        | Reason::Serving => cause.to_string(),
    }
}

/// Why it came so, sentence by sentence.
pub(super) fn explained(scene: &Scene<'_>, one: &Move<'_>, summary: &Summary) -> Vec<String> {
    let new = &summary.to;
    let mut sentences = vec![match (summary.kind, &summary.from) {
        (Kind::Start, _) => format!("{new} became active; nobody is known to have served before."),
        (Kind::Interruption, _) => format!("{new} lost the active role and took it again."),
        (_, Some(old)) => format!("The active role moved from {old} to {new}."),
        (_, None) => format!("{new} became active."),
    }];
    sentences.push(format!("Why: {}.", summary.reason));
    sentences.push(match summary.kind {
        Kind::Switchover | Kind::Failback => "It was a planned move.".to_owned(),
        Kind::Handover => "Whether it was planned is not known.".to_owned(),
        Kind::Failover | Kind::Interruption | Kind::Start => "It was not planned.".to_owned(),
    });
    let outage = &summary.outage;
    if outage.ms.is_some() {
        sentences.push(format!("Outage: {}. {}", outage.words(), outage.meaning));
    }
    sentences.push(outage.how.clone());
    if let Some(clock) = scene.clock {
        let ahead = span_ms(clock.ahead_us.unsigned_abs() as f64 / 1000.0);
        let word = if clock.ahead_us < 0 { "behind" } else { "ahead" };
        sentences.push(format!(
            "The clock of {} was {ahead} {word}, give or take {}; its moments are corrected by \
             that.",
            scene.there,
            span_ms(clock.error_us as f64 / 1000.0)
        ));
        let later = i64::try_from(clock.at_us).unwrap_or(i64::MAX).abs_diff(one.taken.us);
        if later > SOON.unsigned_abs() {
            sentences.push(format!(
                "That was measured {} away from the move; the clocks may have drifted since.",
                span(Duration::from_micros(later))
            ));
        }
    }
    sentences
}

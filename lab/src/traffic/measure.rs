//! The arithmetic of an outage, on finished logs: silences, losses, two nodes
//! answering, who answered when.
//!
//! Called by [`super::Probes::measure`] and by tests with logs written by hand.
//! Never reads a clock. The definitions stand at the head of [`super`].

use std::time::Duration;

use twinwall_core::time::Moment;

use super::log::{Mac, Probe};

/// The longest time without an answer while one was awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// When it began.
    pub from: Moment,
    /// How long it lasted; zero when every probe was answered before the next was sent.
    pub span: Duration,
}

/// Sent and unanswered probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Probes sent in the window.
    pub sent: u32,
    /// Those of them that nobody ever answered.
    pub lost: u32,
}

/// The longest silence among `probes`, which stand in the order of sending.
/// `until` ends a silence that no answer ended.
pub fn longest_silence(probes: &[Probe], until: Moment) -> Silence {
    let mut arrivals: Vec<(Moment, usize)> = Vec::with_capacity(probes.len());
    for (index, probe) in probes.iter().enumerate() {
        arrivals.extend(probe.answered.map(|at| (at, index)));
    }
    arrivals.sort_unstable();
    let mut longest = Silence::default();
    let mut last_arrival = Moment::ZERO;
    // Number of the first probe after the newest one answered so far: the one
    // that is being waited for.
    let mut awaited = 0;
    for (at, index) in arrivals {
        longest = longer(longest, silence(probes.get(awaited), last_arrival, at));
        last_arrival = at;
        awaited = awaited.max(index + 1);
    }
    longer(longest, silence(probes.get(awaited), last_arrival, until))
}

/// From when `awaited` was sent, or the previous answer came, to `end`.
fn silence(awaited: Option<&Probe>, last_arrival: Moment, end: Moment) -> Silence {
    let Some(probe) = awaited else { return Silence::default() };
    let from = probe.sent.max(last_arrival);
    Silence { from, span: end.since(from) }
}

fn longer(a: Silence, b: Silence) -> Silence {
    if b.span > a.span { b } else { a }
}

/// Counts sent and lost probes.
pub fn loss(probes: &[Probe]) -> Loss {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Loss {
        sent: count(probes.len()),
        lost: count(probes.iter().filter(|probe| probe.answered.is_none()).count()),
    }
}

/// The longest time between the sending of one probe and of the next.
pub fn longest_pause(probes: &[Probe]) -> Duration {
    let pauses = probes.windows(2).map(|pair| pair[1].sent.since(pair[0].sent));
    pauses.max().unwrap_or_default()
}

/// How long two hardware addresses answered one probe: each run of such probes
/// from the first one's sending to the last one's second answer, all runs added.
pub fn two_answer(probes: &[Probe]) -> Duration {
    let mut total = Duration::ZERO;
    let mut run: Option<(Moment, Moment)> = None;
    for probe in probes {
        run = match (run, probe.again) {
            (None, None) => None,
            (None, Some((at, _))) => Some((probe.sent, at)),
            (Some((from, _)), Some((at, _))) => Some((from, at)),
            (Some((from, to)), None) => {
                total += to.since(from);
                None
            }
        };
    }
    total + run.map_or(Duration::ZERO, |(from, to)| to.since(from))
}

/// The first answer of each new answering hardware address. While two answer,
/// the address that answered before stays the answering one.
pub fn answered_by(probes: &[Probe]) -> Vec<(Moment, Mac)> {
    let mut changes: Vec<(Moment, Mac)> = Vec::new();
    for probe in probes {
        let (Some(at), Some(by)) = (probe.answered, probe.by) else { continue };
        let present = changes.last().map(|(_, mac)| *mac);
        let still = probe.again.is_some_and(|(_, mac)| Some(mac) == present);
        if present != Some(by) && !still {
            changes.push((at, by));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn ms(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn span(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn probe(sent: u64, answered: Option<u64>) -> Probe {
        Probe { sent: ms(sent), answered: answered.map(ms), by: Some(A), again: None }
    }

    /// A probe each 10 ms, answered after 1 ms, except those sent within `lost`.
    fn stream(until: u64, lost: std::ops::Range<u64>) -> Vec<Probe> {
        let sent = (0..until).step_by(10);
        sent.map(|at| probe(at, (!lost.contains(&at)).then_some(at + 1))).collect()
    }

    #[test]
    fn without_loss_the_silence_is_the_round_trip() {
        assert_eq!(longest_silence(&stream(200, 0..0), ms(200)).span, span(1));
        assert_eq!(loss(&stream(200, 0..0)), Loss { sent: 20, lost: 0 });
    }

    #[test]
    fn an_outage_runs_from_the_first_unanswered_probe_to_the_next_answer() {
        let probes = stream(300, 100..150);
        let silence = longest_silence(&probes, ms(300));
        assert_eq!(silence, Silence { from: ms(100), span: span(51) });
        assert_eq!(loss(&probes).lost, 5);
    }

    #[test]
    fn a_late_sender_is_no_outage() {
        let probes = [probe(0, Some(1)), probe(10, Some(11)), probe(500, Some(501))];
        assert_eq!(longest_silence(&probes, ms(510)).span, span(1));
    }

    #[test]
    fn a_late_sender_shows_as_a_pause() {
        let probes = [probe(0, Some(1)), probe(10, Some(11)), probe(500, Some(501))];
        assert_eq!(longest_pause(&probes), span(490));
        assert_eq!(longest_pause(&probes[..1]), Duration::ZERO);
    }

    #[test]
    fn a_late_sender_within_an_outage_hides_none_of_it() {
        let probes = [probe(0, Some(1)), probe(10, None), probe(400, Some(402))];
        assert_eq!(longest_silence(&probes, ms(410)), Silence { from: ms(10), span: span(392) });
    }

    #[test]
    fn packets_held_back_and_delivered_at_once_are_an_outage() {
        let mut probes = stream(300, 0..0);
        for held in &mut probes[10..15] {
            held.answered = Some(ms(160));
        }
        // Sent at 100 ms, delivered at 160 ms; the one of 150 ms came at 151 ms.
        assert_eq!(longest_silence(&probes, ms(300)), Silence { from: ms(100), span: span(51) });
        assert_eq!(loss(&probes).lost, 0);
    }

    #[test]
    fn an_outage_that_never_ends_lasts_to_the_end_of_the_window() {
        let silence = longest_silence(&stream(300, 100..300), ms(300));
        assert_eq!(silence, Silence { from: ms(100), span: span(200) });
        assert_eq!(longest_silence(&stream(50, 0..50), ms(70)).span, span(70));
    }

    #[test]
    fn an_answer_overtaken_by_a_later_one_is_no_outage() {
        let probes = [probe(0, Some(1)), probe(10, Some(35)), probe(20, Some(21))];
        // Waiting for probe 1 from 10 ms; probe 2's answer at 21 ms ends the silence.
        assert_eq!(longest_silence(&probes, ms(40)).span, span(11));
    }

    #[test]
    fn no_probe_gives_no_silence() {
        assert_eq!(longest_silence(&[], ms(10)), Silence::default());
        assert_eq!(two_answer(&[]), Duration::ZERO);
        assert!(answered_by(&[]).is_empty());
    }

    #[test]
    fn two_answers_are_found_and_one_is_not_two() {
        let mut probes = stream(100, 0..0);
        assert_eq!(two_answer(&probes), Duration::ZERO);
        for both in &mut probes[3..6] {
            both.again = Some((both.sent + span(2), B));
        }
        assert_eq!(two_answer(&probes), span(22));
        probes[9].again = Some((ms(94), B));
        assert_eq!(two_answer(&probes), span(26));
    }

    #[test]
    fn a_new_answering_address_is_noted_once() {
        let mut probes = stream(100, 40..60);
        for probe in &mut probes[6..] {
            probe.by = Some(B);
        }
        assert_eq!(answered_by(&probes), [(ms(1), A), (ms(61), B)]);
    }

    #[test]
    fn who_answers_does_not_flip_while_two_answer() {
        let mut probes = stream(60, 0..0);
        for (index, probe) in probes.iter_mut().enumerate() {
            let (first, second) = if index % 2 == 0 { (A, B) } else { (B, A) };
            probe.by = Some(first);
            probe.again = Some((probe.sent + span(2), second));
        }
        assert_eq!(answered_by(&probes), [(ms(1), A)]);
    }
}

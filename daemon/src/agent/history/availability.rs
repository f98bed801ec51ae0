//! The availability of one month, from the records of both nodes: pure, so that every case has a
//! row in a table of tests. Only what was watched counts; what nobody saw is told as that.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::month::{DAY_MS, Month};
use super::record::{Drill, Record, State};
use super::times::Times;
use crate::agent::failovers::{Kind, Summary};

/// Moves of one month that are listed: a role that moves every ten minutes, all month long.
const MAX_MOVES: usize = 5_000;

/// How available the pair was in one month. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Availability {
    /// The node that tells it.
    pub node: String,
    /// The month, as `2026-11`.
    pub month: String,
    /// Its first moment, since 1970 (UTC).
    pub from_ms: u64,
    /// Its last one, or now.
    pub to_ms: u64,
    /// For so long high availability was on and at least one of the nodes watched.
    pub watched_ms: f64,
    /// For so long of that somebody served.
    pub up_ms: f64,
    /// For so long of that nobody did.
    pub down_ms: f64,
    /// `up_ms` of `watched_ms` in percent; none where nothing was watched.
    pub percent: Option<f64>,
    /// For so long of what was watched the configurations of the nodes differed.
    pub out_of_sync_ms: f64,
    /// For so long high availability was off.
    pub off_ms: f64,
    /// Moves of the role whose outage nobody knows; they count as none.
    pub unknown_outages: usize,
    /// Moves of the role, the newest first.
    pub moves: Vec<Summary>,
    /// Tests of the failover, the newest first.
    pub drills: Vec<Drill>,
    /// Each day of the month so far.
    pub days: Vec<Day>,
    /// What is not in it, and why.
    pub missing: Vec<String>,
    /// Months of which anything is known, the newest first.
    pub months: Vec<String>,
}

/// One day. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Day {
    /// From 1.
    pub day: u32,
    /// As of the month.
    pub watched_ms: f64,
    /// As of the month.
    pub down_ms: f64,
    /// As of the month.
    pub out_of_sync_ms: f64,
    /// Moves of the role that ended on it.
    pub moves: u32,
}

/// What it is made of.
pub(super) struct Known<'a> {
    pub(super) node: &'a str,
    pub(super) now_ms: u64,
    /// Of both nodes, in any order; the same move may be there twice.
    pub(super) records: &'a [Record],
    /// Whether the other node's records are among them.
    pub(super) both: bool,
}

/// Times by state, and outages, in microseconds.
struct Sums {
    watched: Times,
    down: Times,
    out_of_sync: Times,
    off: Times,
}

impl Sums {
    fn of(records: &[Record], moves: &BTreeMap<&str, &Summary>) -> Sums {
        let of = |state: State| {
            records.iter().filter_map(move |record| match record {
                Record::Span(span) if span.state == state => {
                    Some((span.from_ms * 1000, span.to_ms * 1000))
                }
                Record::Span(_) | Record::Move(_) | Record::Drill(_) => None,
            })
        };
        let outage = |summary: &&Summary| {
            let us = (summary.outage.ms?.max(0.0) * 1000.0) as u64;
            let ended = summary.ended_ms * 1000;
            Some((ended.saturating_sub(us), ended))
        };
        let watched = Times::of(of(State::Watched));
        let known = Times::of(moves.values().filter_map(outage));
        // A node that has just started does not know yet who serves. Where either was active by its
        // own guard's word, somebody did, whatever the other one saw.
        let seen = Times::of(of(State::Unserved)).without(&Times::of(of(State::Active)));
        Sums {
            // What was looked at once a second is only counted where no report says it exactly.
            down: known.or(&seen).and(&watched),
            out_of_sync: Times::of(of(State::OutOfSync)).and(&watched),
            off: Times::of(of(State::Off)),
            watched,
        }
    }

    fn within(&self, (from_ms, to_ms): (u64, u64)) -> [f64; 4] {
        let window = Times::of([(from_ms * 1000, to_ms * 1000)]);
        [&self.watched, &self.down, &self.out_of_sync, &self.off]
            .map(|times| times.and(&window).length() as f64 / 1000.0)
    }
}

/// Puts it together.
pub(super) fn availability(known: &Known<'_>, month: Month) -> Availability {
    let (from_ms, end) = month.bounds();
    let to_ms = end.min(known.now_ms).max(from_ms);
    let mut moves: BTreeMap<&str, &Summary> = BTreeMap::new();
    for record in known.records {
        if let Record::Move(summary) = record {
            moves.insert(&summary.id, summary);
        }
    }
    let sums = Sums::of(known.records, &moves);
    let [watched_ms, down_ms, out_of_sync_ms, off_ms] = sums.within((from_ms, to_ms));
    let mut listed: Vec<Summary> = moves
        .values()
        .filter(|summary| (from_ms..end).contains(&summary.ended_ms))
        .map(|summary| (*summary).clone())
        .collect();
    listed.sort_by_key(|summary| std::cmp::Reverse(summary.ended_ms));
    listed.truncate(MAX_MOVES);
    let unknown = |it: &&Summary| it.kind != Kind::Start && it.outage.ms.is_none();
    Availability {
        node: known.node.to_owned(),
        month: month.to_string(),
        from_ms,
        to_ms,
        watched_ms,
        up_ms: watched_ms - down_ms,
        down_ms,
        percent: (watched_ms > 0.0).then(|| (watched_ms - down_ms) / watched_ms * 100.0),
        out_of_sync_ms,
        off_ms,
        unknown_outages: listed.iter().filter(unknown).count(),
        drills: drills(known.records, (from_ms, end)),
        days: days(&sums, &listed, (from_ms, to_ms)),
        missing: missing(known, watched_ms + off_ms, to_ms - from_ms),
        months: months(known),
        moves: listed,
    }
}

fn drills(records: &[Record], (from_ms, end): (u64, u64)) -> Vec<Drill> {
    let mut drills: Vec<Drill> = records
        .iter()
        .filter_map(|record| match record {
            Record::Drill(drill) => Some(drill.clone()),
            Record::Move(_) | Record::Span(_) => None,
        })
        .filter(|drill| (from_ms..end).contains(&drill.ended_ms))
        .collect();
    drills.sort_by_key(|drill| std::cmp::Reverse(drill.ended_ms));
    drills
}

fn days(sums: &Sums, moves: &[Summary], (from_ms, to_ms): (u64, u64)) -> Vec<Day> {
    let mut days = Vec::new();
    let mut from = from_ms;
    while from < to_ms {
        let to = (from + DAY_MS).min(to_ms);
        let [watched_ms, down_ms, out_of_sync_ms, _] = sums.within((from, to));
        let of_day = moves.iter().filter(|it| (from..from + DAY_MS).contains(&it.ended_ms));
        let moves = u32::try_from(of_day.count()).unwrap_or(u32::MAX);
        let day = u32::try_from(days.len() + 1).unwrap_or(u32::MAX);
        days.push(Day { day, watched_ms, down_ms, out_of_sync_ms, moves });
        from += DAY_MS;
    }
    days
}

fn missing(known: &Known<'_>, seen_ms: f64, all_ms: u64) -> Vec<String> {
    let mut missing = Vec::new();
    if !known.both {
        missing.push("What the other node recorded is not in it: it was not reached.".to_owned());
    }
    // A minute is what a restart of an agent takes at the most.
    let unseen = all_ms as f64 - seen_ms;
    if unseen > 60_000.0 {
        missing.push(format!(
            "For {} nobody watched: twinwall did not run on any node that was asked, was not set \
             up yet, or could not say how the pair was. That time counts as neither up nor down.",
            span(unseen)
        ));
    }
    missing
}

fn months(known: &Known<'_>) -> Vec<String> {
    let mut all = std::collections::BTreeSet::from([Month::of(known.now_ms)]);
    for record in known.records {
        let mut month = Month::of(record.began_ms().min(known.now_ms));
        let last = Month::of(record.ended_ms().min(known.now_ms));
        while month <= last {
            all.insert(month);
            month = month.next();
        }
    }
    all.iter().rev().map(Month::to_string).collect()
}

/// Milliseconds for people, in two words at the most: `3 d 4 h`, `12 min 5 s`, `290 ms`.
pub fn span(ms: f64) -> String {
    let seconds = (ms / 1000.0) as u64;
    match seconds {
        0 if ms < 10.0 && ms > 0.0 => format!("{ms:.1} ms"),
        0 => format!("{ms:.0} ms"),
        1..60 => format!("{:.1} s", ms / 1000.0),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _more => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Span;
    use super::*;
    use crate::agent::failovers::{Bound, Outage};

    const HOUR: u64 = 3_600_000;

    fn begin() -> u64 {
        "2026-11".parse::<Month>().expect("a month").bounds().0
    }

    fn span_of(state: State, from: u64, to: u64) -> Record {
        Record::Span(Span { state, from_ms: begin() + from, to_ms: begin() + to })
    }

    fn moved(id: &str, ended: u64, ms: Option<f64>) -> Record {
        let (how, meaning) = (String::new(), String::new());
        let bound = if ms.is_some() { Bound::Measured } else { Bound::Unknown };
        Record::Move(Summary {
            id: id.to_owned(),
            kind: Kind::Failover,
            from: Some("gw-a".to_owned()),
            to: "gw-b".to_owned(),
            reason: "gw-a was silent on every path".to_owned(),
            began_ms: begin() + ended - 500,
            ended_ms: begin() + ended,
            outage: Outage { ms, bound, uncertainty_ms: 0.0, how, meaning },
        })
    }

    fn of(records: &[Record], now: u64) -> Availability {
        let known = Known { node: "gw-b", now_ms: begin() + now, records, both: true };
        availability(&known, Month::of(begin()))
    }

    #[test]
    fn an_outage_counts_once_whoever_tells_it_and_to_the_millisecond() {
        let records = [
            span_of(State::Watched, 0, 10 * HOUR),
            // The other node watched while this one was dead.
            span_of(State::Watched, 9 * HOUR, 20 * HOUR),
            moved("aa-1", 5 * HOUR, Some(290.5)),
            moved("aa-1", 5 * HOUR, Some(290.5)),
            // Seen once a second, and exactly by the report within it.
            span_of(State::Unserved, 12 * HOUR - 2_000, 12 * HOUR),
            moved("aa-2", 12 * HOUR, Some(1_500.0)),
            moved("aa-3", 13 * HOUR, None),
            span_of(State::OutOfSync, 19 * HOUR, 23 * HOUR),
        ];
        let told = of(&records, 20 * HOUR);
        assert_eq!((told.watched_ms, told.down_ms), (20.0 * HOUR as f64, 2_290.5));
        assert_eq!((told.moves.len(), told.unknown_outages), (3, 1));
        assert_eq!(told.out_of_sync_ms, HOUR as f64);
        assert!(told.percent.is_some_and(|percent| (99.996..99.997).contains(&percent)));
        assert_eq!(told.missing, Vec::<String>::new());
        assert_eq!((told.days.len(), told.days[0].moves), (1, 3));
    }

    #[test]
    fn while_one_node_starts_and_the_other_one_serves_nobody_is_down() {
        let started = [
            span_of(State::Watched, 0, 10 * HOUR),
            span_of(State::Watched, 5 * HOUR, 10 * HOUR),
            // What the node that was started again saw in its first moments.
            span_of(State::Unserved, 5 * HOUR, 5 * HOUR + 2_000),
        ];
        assert_eq!(of(&started, 10 * HOUR).down_ms, 2_000.0, "nobody says that it served");
        let with = |more: &[Record]| of(&[&started[..], more].concat(), 10 * HOUR);
        let served = span_of(State::Active, 0, 10 * HOUR);
        let told = with(std::slice::from_ref(&served));
        assert_eq!((told.down_ms, told.days[0].down_ms, told.percent), (0.0, 0.0, Some(100.0)));
        // It proves no more than it says.
        let ended = span_of(State::Active, 0, 5 * HOUR + 500);
        assert_eq!(with(&[ended]).down_ms, 1_500.0);
        // What a report says exactly stands.
        let moved = moved("aa-1", 7 * HOUR, Some(290.5));
        assert_eq!(with(&[served, moved]).down_ms, 290.5);
    }

    #[test]
    fn what_nobody_watched_is_neither_up_nor_down_and_is_told() {
        let records = [
            span_of(State::Watched, HOUR, 2 * HOUR),
            span_of(State::Off, 2 * HOUR, 3 * HOUR),
            // Nobody watched then, so that nobody knows whether the other node served before.
            moved("aa-1", 4 * HOUR, Some(9_000.0)),
        ];
        let told = of(&records, 26 * HOUR);
        assert_eq!((told.down_ms, told.percent), (0.0, Some(100.0)));
        assert_eq!(told.off_ms, HOUR as f64);
        assert!(told.missing[0].contains("1 d 0 h nobody watched"), "{:?}", told.missing);
        assert_eq!(told.days.len(), 2);
        let nothing = of(&[], 26 * HOUR);
        assert_eq!((nothing.percent, nothing.months), (None, vec!["2026-11".to_owned()]));
    }

    #[test]
    fn every_month_with_anything_in_it_is_named() {
        let records = [Record::Span(Span {
            state: State::Watched,
            from_ms: "2025-12".parse::<Month>().expect("a month").bounds().0,
            to_ms: "2026-02".parse::<Month>().expect("a month").bounds().0,
        })];
        assert_eq!(of(&records, 0).months, ["2026-11", "2026-02", "2026-01", "2025-12"]);
    }

    #[test]
    fn spans_are_told_in_two_words() {
        for (ms, text) in [
            (0.0, "0 ms"),
            (0.84, "0.8 ms"),
            (290.4, "290 ms"),
            (59_940.0, "59.9 s"),
            (725_000.0, "12 min 5 s"),
            (2.0 * HOUR as f64, "2 h 0 min"),
            (76.0 * HOUR as f64, "3 d 4 h"),
        ] {
            assert_eq!(span(ms), text);
        }
    }
}

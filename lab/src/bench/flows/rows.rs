//! A row of the benchmark about flows: one figure of all contenders, and what twinwall must
//! reach. Pure.

use serde::Serialize;

use super::Contender;
use crate::bench::figures::{Figures, Unit, number, ratio};

/// What twinwall's median must reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At most this.
    AtMost(f64),
    /// At most this share of conntrackd's median in the same run.
    ShareOfTheirs(f64),
    /// At least this.
    AtLeast(f64),
    /// Shown for comparison only.
    Shown,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is, with its unit.
    pub what: String,
    /// What it counts.
    pub unit: Unit,
    /// What twinwall must reach.
    pub target: Target,
    /// conntrackd with an external cache.
    pub conntrackd: Figures,
    /// conntrackd that writes into the passive's kernel.
    pub injecting: Figures,
    /// twinwall.
    pub twinwall: Figures,
    /// twinwall's as the target reads them, where that is over the probe's own floor.
    pub over_floor: Option<Figures>,
}

impl Row {
    /// One without figures.
    pub fn new(what: impl Into<String>, unit: Unit, target: Target) -> Row {
        Row {
            what: what.into(),
            unit,
            target,
            conntrackd: Figures::default(),
            injecting: Figures::default(),
            twinwall: Figures::default(),
            over_floor: None,
        }
    }

    /// The figures of one contender.
    pub fn of(&mut self, who: Contender) -> &mut Figures {
        match who {
            Contender::Conntrackd => &mut self.conntrackd,
            Contender::Injecting => &mut self.injecting,
            Contender::Twinwall => &mut self.twinwall,
        }
    }

    /// Adds a figure of a silence; the target is read on what is over the floor.
    pub fn add_over(&mut self, who: Contender, value: f64, floor: f64) {
        self.of(who).add(value);
        if who == Contender::Twinwall {
            self.over_floor.get_or_insert_with(Figures::default).add((value - floor).max(0.0));
        }
    }

    /// Whether twinwall reaches the target; none where there is nothing to reach.
    pub fn reached(&self) -> Option<bool> {
        let read = self.over_floor.as_ref().unwrap_or(&self.twinwall);
        let ours = read.median();
        let is = |so: &dyn Fn(f64) -> bool| Some(ours.is_some_and(so));
        match self.target {
            Target::AtMost(limit) => is(&|ours| ours <= limit),
            Target::AtLeast(limit) => is(&|ours| ours >= limit),
            Target::ShareOfTheirs(share) => {
                let theirs = self.conntrackd.median();
                is(&|ours| theirs.is_some_and(|theirs| ours <= theirs * share))
            }
            Target::Shown => None,
        }
    }

    /// A line of the table.
    pub fn line(&self) -> String {
        let must = match self.target {
            Target::AtMost(limit) => format!("≤ {}", number(limit, self.unit)),
            Target::AtLeast(limit) => format!("≥ {}", number(limit, self.unit)),
            Target::ShareOfTheirs(share) => format!("≤ {share:.1} of conntrackd's"),
            Target::Shown => String::new(),
        };
        let reached = match self.reached() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        // Of a rate, more is better.
        let times = match self.unit {
            Unit::FlowsPerSecond => ratio(&self.conntrackd, &self.twinwall, self.unit),
            Unit::Millis
            | Unit::Packets
            | Unit::Times
            | Unit::CpuSecondsPerMinute
            | Unit::Mebibytes => ratio(&self.twinwall, &self.conntrackd, self.unit),
        };
        format!(
            "| {} | {} | {} | {} | {} | {must} | {reached} |\n",
            self.what,
            self.conntrackd.text(self.unit),
            self.injecting.text(self.unit),
            self.twinwall.text(self.unit),
            times.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: Unit, target: Target, theirs: &[f64], ours: &[f64]) -> Row {
        let mut row = Row::new("a figure", unit, target);
        theirs.iter().for_each(|value| row.of(Contender::Conntrackd).add(*value));
        ours.iter().for_each(|value| row.of(Contender::Twinwall).add(*value));
        row
    }

    #[test]
    fn half_of_theirs_is_read_in_the_same_run() {
        let half = Target::ShareOfTheirs(0.5);
        let good = row(Unit::Millis, half, &[90.0, 110.0], &[40.0]);
        assert_eq!(
            good.line(),
            "| a figure | **100** (90 to 110) | - | 40 | 2.5× | ≤ 0.5 of conntrackd's | yes |\n"
        );
        assert_eq!(row(Unit::Millis, half, &[100.0], &[60.0]).reached(), Some(false));
        assert_eq!(row(Unit::Millis, half, &[], &[60.0]).reached(), Some(false));
    }

    #[test]
    fn of_a_rate_more_is_better() {
        let rate = row(Unit::FlowsPerSecond, Target::AtLeast(5000.0), &[5000.0], &[10_000.0]);
        assert!(rate.line().contains("| 2.0× | ≥ 5000 | yes |"), "{}", rate.line());
    }

    #[test]
    fn a_silence_is_read_over_its_floor() {
        let mut silence = Row::new("pause", Unit::Millis, Target::AtMost(60.0));
        silence.add_over(Contender::Twinwall, 65.0, 8.0);
        assert_eq!(silence.reached(), Some(true));
        assert!(silence.line().contains("| 65 |"));
    }
}

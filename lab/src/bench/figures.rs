//! Repeated figures of one thing: median, spread, and how they are written.
//! Pure; called by the table and by the JSON output.

use serde::Serialize;

/// What a figure counts, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Packets.
    Packets,
    /// How often something happened.
    Times,
    /// CPU seconds a minute.
    CpuSecondsPerMinute,
    /// Mebibytes.
    Mebibytes,
    /// Flows a second.
    FlowsPerSecond,
}

/// All repetitions of one figure, in the order in which they were measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Adds a repetition.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// How many repetitions there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle one; of an even number the mean of the two in the middle.
    pub fn median(&self) -> Option<f64> {
        let sorted = self.sorted();
        let upper = *sorted.get(sorted.len() / 2)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        Some((sorted[sorted.len() / 2 - 1] + upper) / 2.0)
    }

    /// The smallest one.
    pub fn least(&self) -> Option<f64> {
        self.sorted().first().copied()
    }

    /// The largest one.
    pub fn most(&self) -> Option<f64> {
        self.sorted().last().copied()
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// `12.3 (11 to 14)`, without the spread where there is none; `-` for nothing.
    pub fn text(&self, unit: Unit) -> String {
        let (Some(median), Some(least), Some(most)) = (self.median(), self.least(), self.most())
        else {
            return "-".to_owned();
        };
        let [median, least, most] = [median, least, most].map(|value| number(value, unit));
        if least == most { median } else { format!("**{median}** ({least} to {most})") }
    }
}

/// A figure with the digits that mean something.
pub fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Packets | Unit::Times | Unit::FlowsPerSecond => format!("{value:.0}"),
        Unit::CpuSecondsPerMinute => format!("{value:.3}"),
        Unit::Millis | Unit::Mebibytes if value.abs() < 9.95 => format!("{value:.1}"),
        Unit::Millis | Unit::Mebibytes => format!("{value:.0}"),
    }
}

/// How many times smaller `ours` is than `theirs`; nothing where that says nothing.
/// Below a millisecond it is the probe that is measured, so that counts as one.
pub fn ratio(ours: &Figures, theirs: &Figures, unit: Unit) -> Option<String> {
    let (ours, theirs) = (ours.median()?, theirs.median()?);
    let (sign, ours) = if unit == Unit::Millis && ours < 1.0 { ("> ", 1.0) } else { ("", ours) };
    let says_nothing = !sign.is_empty() && theirs <= ours;
    if ours <= 0.0 || theirs <= 0.0 || says_nothing {
        return None;
    }
    let ratio = theirs / ours;
    let digits = if ratio < 0.095 { 2 } else { usize::from(ratio < 9.95) };
    Some(format!("{sign}{ratio:.digits$}×"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[f64]) -> Figures {
        Figures(values.to_vec())
    }

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert_eq!(figures(&[9.0, 1.0, 5.0]).median(), Some(5.0));
        assert_eq!(figures(&[9.0, 1.0, 5.0, 7.0]).median(), Some(6.0));
        assert_eq!(figures(&[]).median(), None);
    }

    #[test]
    fn a_spread_is_written_only_where_there_is_one() {
        assert_eq!(figures(&[0.0, 0.0]).text(Unit::Packets), "0");
        assert_eq!(figures(&[21.4, 18.0, 335.0]).text(Unit::Millis), "**21** (18 to 335)");
        assert_eq!(figures(&[4.25, 3.0]).text(Unit::Millis), "**3.6** (3.0 to 4.2)");
        assert_eq!(figures(&[]).text(Unit::Millis), "-");
    }

    #[test]
    fn a_ratio_says_how_many_times_smaller_and_no_more_than_was_measured() {
        let of = |ours: f64, theirs: f64, unit| ratio(&figures(&[ours]), &figures(&[theirs]), unit);
        assert_eq!(of(20.0, 335.0, Unit::Millis).as_deref(), Some("17×"));
        assert_eq!(of(20.0, 30.0, Unit::Millis).as_deref(), Some("1.5×"));
        assert_eq!(of(14.0, 2.0, Unit::Millis).as_deref(), Some("0.1×"));
        assert_eq!(of(16.0, 0.4, Unit::Millis).as_deref(), Some("0.03×"));
        assert_eq!(of(0.1, 244.0, Unit::Millis).as_deref(), Some("> 244×"));
        assert_eq!(of(0.1, 0.2, Unit::Millis), None);
        assert_eq!(of(0.0, 5.0, Unit::Packets), None);
        assert_eq!(of(0.05, 0.1, Unit::CpuSecondsPerMinute).as_deref(), Some("2.0×"));
        assert_eq!(ratio(&figures(&[]), &figures(&[335.0]), Unit::Millis), None);
    }
}

//! Small plots of the last minute: a line of round trips, and bars of what was heard.

use std::collections::VecDeque;

use crate::web::hub::{PLOTTED, Plot};

/// Size of a plot; a second is a step.
const STEP: f64 = 3.0;
pub(super) const WIDTH: usize = PLOTTED * STEP as usize;
pub(super) const HEIGHT: usize = 28;

/// Lines of round trips, broken where no beat was confirmed, and the highest of them.
pub(super) fn round_trips(plot: &Plot) -> (Vec<String>, f64) {
    let highest = plot.round_trips.iter().flatten().copied().fold(0.0, f64::max);
    let scale = if highest > 0.0 { (HEIGHT as f64 - 4.0) / highest } else { 0.0 };
    let mut lines = vec![String::new()];
    for (at, value) in placed(&plot.round_trips) {
        match value {
            Some(value) => {
                let y = HEIGHT as f64 - 2.0 - value * scale;
                if let Some(line) = lines.last_mut() {
                    *line += &format!("{at:.0},{y:.1} ");
                }
            }
            None => lines.push(String::new()),
        }
    }
    lines.retain(|line| !line.is_empty());
    (lines, highest)
}

/// A bar with its place and height for each second in which a beat was missed.
pub(super) fn missed(plot: &Plot) -> Vec<(String, String)> {
    let lost = placed(&plot.beats).map(|(at, (due, heard))| (at, missing(*due, *heard) / due));
    lost.filter(|(_, share)| *share > 0.0)
        .map(|(at, share)| {
            let height = (share * (HEIGHT as f64 - 2.0)).max(4.0);
            (format!("{:.0}", at - 1.0), format!("{height:.1}"))
        })
        .collect()
}

/// Of the last minute in hundredths, what was not heard.
pub(super) fn loss(seconds: &VecDeque<(f64, f64)>) -> Option<f64> {
    let sum = |all: fn(&(f64, f64)) -> f64| seconds.iter().map(all).sum::<f64>();
    let (due, heard) = (sum(|beat| beat.0), sum(|beat| beat.1));
    (due > 0.0).then(|| 100.0 * missing(due, heard) / due)
}

/// Of the last minute, how many were heard in a second. `interval` is a beat's, in seconds.
pub(super) fn rate(seconds: &VecDeque<(f64, f64)>, interval: f64) -> Option<f64> {
    let sum = |all: fn(&(f64, f64)) -> f64| seconds.iter().map(all).sum::<f64>();
    let passed = sum(|beat| beat.0) * interval;
    (passed > 0.0).then(|| sum(|beat| beat.1) / passed)
}

/// Beats that were due and not heard. One more or less is where the time is cut.
fn missing(due: f64, heard: f64) -> f64 {
    ((due - heard).floor() - 1.0).max(0.0)
}

/// Each with its place: the newest stands at the right.
fn placed<T>(all: &VecDeque<T>) -> impl Iterator<Item = (f64, &T)> {
    let first = PLOTTED.saturating_sub(all.len());
    all.iter().enumerate().map(move |(at, value)| ((first + at) as f64 * STEP + 1.5, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_breaks_the_line_and_a_loss_is_a_bar() {
        let mut plot = Plot::default();
        plot.round_trips = [Some(1.0), Some(2.0), None, Some(1.0)].into();
        plot.beats = [(10.1, 9.0), (9.9, 11.0), (10.0, 0.0), (10.0, 5.0)].into();
        let (lines, highest) = round_trips(&plot);
        assert_eq!((lines.len(), highest), (2, 2.0));
        assert!(lines[0].ends_with("172,2.0 "), "{lines:?}");
        assert_eq!(missed(&plot).len(), 2);
        assert_eq!(loss(&plot.beats), Some(35.0));
        assert_eq!(loss(&VecDeque::new()), None);
    }
}

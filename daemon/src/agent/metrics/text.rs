//! The text that Prometheus reads (exposition format 0.0.4): values put in by metric, written
//! out in the order of the table. What is not in the table cannot be told.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::table::{ALL, Metric};

/// Media type of the text.
pub const FORM: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Values of one metric: conditions of two nodes and the pair, and interfaces of the largest
/// pair, with room. What is over it is left out.
const MAX_VALUES: usize = 1024;

/// Values on their way into the text.
#[derive(Debug, Default)]
pub(super) struct Values {
    by_name: BTreeMap<&'static str, Vec<(String, f64)>>,
}

impl Values {
    /// A value with the values of its labels, in the order of the table.
    pub(super) fn add(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let values = self.by_name.entry(metric.name).or_default();
        if values.len() >= MAX_VALUES {
            return;
        }
        let pairs: Vec<String> = metric
            .labels
            .iter()
            .zip(labels)
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels =
            if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        values.push((labels, value));
    }

    /// Yes is 1.
    pub(super) fn flag(&mut self, metric: &'static Metric, labels: &[&str], value: bool) {
        self.add(metric, labels, if value { 1.0 } else { 0.0 });
    }

    /// A value that is known only sometimes.
    pub(super) fn known(&mut self, metric: &'static Metric, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.add(metric, labels, value);
        }
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for metric in ALL {
            let Some(values) = self.by_name.get(metric.name) else { continue };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help.replace('\\', "\\\\"));
            let _ = writeln!(text, "# TYPE {} {}", metric.name, metric.kind.word());
            for (labels, value) in values {
                let _ = writeln!(text, "{}{labels} {value}", metric.name);
            }
        }
        text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn a_value_is_written_below_its_help_and_cannot_leave_its_line() {
        let mut values = Values::default();
        values.flag(&table::PAIRED, &[], true);
        values.add(&table::NODE_ACTIVE, &["a\"b\\c\nd"], 0.25);
        values.known(&table::ROUND_TRIP, &[], None);
        assert_eq!(
            values.text(),
            "# HELP twinwall_paired 1 while this node has a peer.\n\
             # TYPE twinwall_paired gauge\ntwinwall_paired 1\n\
             # HELP twinwall_node_active 1 for the node that is active, 0 for the other.\n\
             # TYPE twinwall_node_active gauge\n\
             twinwall_node_active{node=\"a\\\"b\\\\c\\nd\"} 0.25\n"
        );
    }

    #[test]
    fn a_list_without_end_ends() {
        let mut values = Values::default();
        (0..5000).for_each(|count| values.flag(&table::NODE_ACTIVE, &[&count.to_string()], true));
        assert_eq!(values.text().lines().count(), MAX_VALUES + 2);
    }
}

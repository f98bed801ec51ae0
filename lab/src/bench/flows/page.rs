//! The page of figures. Pure.

use super::{Benchmark, Contender, Section};

/// Markdown: for each part what was measured where, and a table. Of `before`, the page as it is,
/// the parts stay that were not measured this time.
pub(super) fn page(benchmark: &Benchmark, before: &str) -> String {
    let mut text = String::from(
        "# Connections through a failover, side by side\n\n\
         Written by `cargo xtask bench flows --against conntrackd`; run it to see your own figures. \
         A run of some parts alone (`--only`) leaves the others as they are, so each part says when \
         and with what it was measured.\n\n\
         Both products run in the same lab, on the same two processors, under the same packet \
         filter: only flows that it knows pass. conntrackd is tuned as an expert would: FTFW over \
         the HA link, filters in the kernel, large buffers, realtime priority, and the script of \
         its own documentation at each change of keepalived's role. It is measured in both of its \
         forms: with an external cache, which a takeover commits, and writing straight into the \
         passive's kernel. Figures are **medians** with the smallest and the largest in brackets; \
         silences include the probe's own floor, 'reached' is decided over it. Ratios are against \
         conntrackd with an external cache.\n",
    );
    let mut new: Vec<&Section> = benchmark.sections.iter().collect();
    for (title, old) in parts(before) {
        match new.iter().position(|section| section.title == title) {
            Some(at) => text += &part(benchmark, new.remove(at)),
            None => text += &format!("\n{}\n", old.trim_end()),
        }
    }
    text.extend(new.into_iter().map(|section| part(benchmark, section)));
    text
}

/// The parts of a page, each with its title.
fn parts(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let begins = page.match_indices("\n## ").map(|(at, _)| at + 1).collect::<Vec<_>>();
    let ends = begins.iter().skip(1).copied().chain([page.len()]).collect::<Vec<_>>();
    begins.into_iter().zip(ends).filter_map(|(begin, end)| {
        let part = page.get(begin..end)?;
        Some((part.lines().next()?.strip_prefix("## ")?, part))
    })
}

fn part(benchmark: &Benchmark, section: &Section) -> String {
    let names = Contender::ALL.map(Contender::name).join(" | ");
    let machine = &benchmark.machine;
    let mut text = format!(
        "\n## {}\n\n\
         *{} (UTC): {}; {}; {}. {}, {} cores, {} GiB, kernel {}. Repetitions: {}.*\n\n{}\n\n\
         | figure | {names} | ratio | must reach | reached |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
        section.title,
        machine.date,
        machine.twinwall,
        machine.keepalived,
        benchmark.conntrackd.trim_end_matches('.'),
        machine.cpu,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        section.repetitions,
        section.told
    );
    text.extend(section.rows.iter().map(super::rows::Row::line));
    if !section.failures.is_empty() {
        text += "\nCould not be measured, or was not counted:\n\n";
        text.extend(section.failures.iter().map(|why| format!("- {why}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Row, Target};
    use super::*;
    use crate::bench::figures::Unit;
    use crate::bench::machine::Machine;

    fn benchmark(commit: &str, titles: &[&'static str]) -> Benchmark {
        let machine = Machine::example(commit);
        let section = |title: &&'static str| Section {
            title,
            told: "How.",
            repetitions: 3,
            rows: vec![Row::new("lost".to_owned(), Unit::Times, Target::Shown)],
            failures: vec![format!("{title} at {commit}")],
        };
        Benchmark {
            machine,
            conntrackd: "1.4.7.".to_owned(),
            reps: 3,
            trials: 20,
            sections: titles.iter().map(section).collect(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn a_run_of_one_part_leaves_the_others_and_says_which_is_which() {
        let whole = page(&benchmark("old", &["One", "Two", "Three"]), "");
        assert_eq!(whole.matches("(UTC): old;").count(), 3, "{whole}");
        let mended = page(&benchmark("new", &["Two"]), &whole);
        let old = part_of(&whole, "Two");
        assert_eq!(mended, whole.replacen(&old, &old.replace("old", "new"), 1));
        assert_eq!(page(&benchmark("new", &["Two"]), &mended), mended, "once more changes nothing");
    }

    fn part_of(page: &str, title: &str) -> String {
        parts(page).find(|(name, _)| *name == title).expect("the part").1.to_owned()
    }

    #[test]
    fn the_first_page_has_what_was_measured() {
        let page = page(&benchmark("x", &["One"]), "no page at all");
        let titles: Vec<&str> = parts(&page).map(|(title, _)| title).collect();
        assert_eq!(titles, ["One"]);
        assert!(page.ends_with("not counted:\n\n- One at x\n"), "{page}");
    }
}

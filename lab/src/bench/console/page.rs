//! The page of figures. Pure.

use super::{MAX_BYTES, MAX_MS, MAX_RESIDENT, Measured, Page, Wanted};
use crate::bench::figures::Unit;
use crate::bench::machine::Machine;

/// Markdown: what was measured where, and the figures with what they must reach.
pub(super) fn page(machine: &Machine, wanted: &Wanted, measured: &Measured) -> String {
    let mut text = format!(
        "# The console under load\n\n\
         Written by `cargo xtask bench console`; run it to see your own figures.\n\n\
         | | |\n| --- | --- |\n{}| viewers | {}, over HTTP/2 and TLS, on one node |\n\
         | requests of each page | {} |\n| failovers of each kind | {} |\n\n\
         Two gateways in the lab with guard, agent and console each, all on this one machine, the \
         visitors too. The viewers hear every change of the dashboard (they heard {} events) while \
         one more asks for each page again and again. Times are what that client saw, from the \
         request to the last byte. Bytes are what a browser that was never there gets over the \
         wire: the page, stylesheet, script, mark, TLS and heads.\n\n",
        machine.rows(),
        wanted.viewers,
        wanted.requests,
        wanted.reps,
        measured.events,
    );
    text += "| page | bytes | of these HTML | median | of 99 in 100 | must reach | reached |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n";
    text.extend(measured.pages.iter().map(line));
    text += &memory(wanted, measured);
    let [without, with] = &measured.outages;
    text += &format!(
        "\n| the active loses power | outage over the floor |\n| --- | --- |\n\
         | nobody looks | {} ms |\n| {} viewers on the node that takes over | {} ms |\n",
        without.text(Unit::Millis),
        wanted.viewers,
        with.text(Unit::Millis),
    );
    if !measured.failures.is_empty() {
        text += "\nNot as it must be:\n\n";
        text.extend(measured.failures.iter().map(|why| format!("- {why}\n")));
    }
    text
}

fn line(page: &Page) -> String {
    let slowest = page.quantile(0.99);
    let reached = page.bytes <= MAX_BYTES && slowest <= MAX_MS;
    format!(
        "| `{}` | {} | {} | {:.1} ms | {slowest:.1} ms | ≤ {MAX_BYTES} bytes, ≤ {MAX_MS:.0} ms | {} |\n",
        page.path,
        page.bytes,
        page.html,
        page.quantile(0.5),
        yes(reached),
    )
}

fn memory(wanted: &Wanted, measured: &Measured) -> String {
    let [before, now, most] = measured.resident;
    let row = |what: &str, bytes: u64| {
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        let must = MAX_RESIDENT >> 20;
        let reached = yes(bytes <= MAX_RESIDENT);
        format!("| {what} | {mebibytes:.1} MiB | ≤ {must} MiB | {reached} |\n")
    };
    let mut text = "\n| resident memory of the console's process | | must reach | reached |\n\
                    | --- | --- | --- | --- |\n"
        .to_owned();
    text += &row("before the first visitor", before);
    text += &row(&format!("with {} viewers, after all requests", wanted.viewers), now);
    text += &row("at the most, while a password was compared", most);
    text
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "**no**" }
}

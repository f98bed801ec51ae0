//! The long simulation: `cargo xtask sim --seeds N`, or one seed with its story:
//! `cargo xtask sim --seed S --trace`.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a program for developers prints and reads its arguments"
)]
#![allow(clippy::disallowed_types, reason = "it says how long it took")]

#[allow(dead_code, reason = "the transcripts use the rest")]
#[path = "../tests/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::time::Instant;

use world::coverage::{Coverage, ENOUGH_SEEDS, REQUIRED};
use world::plan;
use world::trace::Trace;

const USAGE: &str = "usage: sim [--seeds N] [--seed S] [--trace]";

struct Wanted {
    first: u64,
    seeds: u64,
    trace: bool,
}

fn main() -> ExitCode {
    match wanted(std::env::args().skip(1)) {
        Ok(wanted) => run(&wanted),
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted { first: 0, seeds: 1000, trace: false };
    let mut only = None;
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().unwrap_or_default();
            text.parse().map_err(|_| format!("{argument} needs a number, not '{text}'"))
        };
        match argument.as_str() {
            "--seeds" => wanted.seeds = number()?,
            "--seed" => only = Some(number()?),
            "--trace" => wanted.trace = true,
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    if let Some(seed) = only {
        (wanted.first, wanted.seeds) = (seed, 1);
    }
    Ok(wanted)
}

fn run(wanted: &Wanted) -> ExitCode {
    let start = Instant::now();
    let mut coverage = Coverage::default();
    let mut steps = 0;
    let mut frames = 0;
    let mut virtual_time = 0;
    let mut broken = 0;
    for seed in wanted.first..wanted.first + wanted.seeds {
        let trace = if wanted.trace { Trace::kept() } else { Trace::none() };
        let world = plan::run(seed, trace);
        steps += world.steps;
        frames += world.network.sent;
        virtual_time += world.time;
        coverage.add(&world.coverage);
        for line in world.trace.lines() {
            println!("{line}");
        }
        if let Some(verdict) = &world.judge.verdict {
            broken += 1;
            println!("seed {seed} at {} ms: {verdict}", world.time / 1_000_000);
            println!("  replay: cargo xtask sim --seed {seed} --trace");
        }
    }
    for (case, count) in coverage.iter().filter(|_| !wanted.trace) {
        println!("{count:>9}  {case}");
    }
    if wanted.seeds >= ENOUGH_SEEDS {
        for case in REQUIRED.iter().filter(|case| coverage.of(case) == 0) {
            broken += 1;
            println!("never reached: {case}");
        }
    }
    println!(
        "{} seeds, {steps} steps, {frames} frames, {} s of virtual time in {:.1} s: {broken} broken rules",
        wanted.seeds,
        virtual_time / 1_000_000_000,
        start.elapsed().as_secs_f64(),
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! Set-up, tests, simulation, lab, benchmark and house rules of this repository:
//! `cargo xtask`. Called by developers and by `.ci/run`. It is never part of the
//! product and depends on nothing but the standard library, so that it builds in
//! a moment.

use std::env;
use std::process::ExitCode;

use crate::failure::{Outcome, fail};

mod docs;
mod failure;
mod leftovers;
mod machines;
mod package;
mod programs;
mod setup;
mod shell;
mod test;
mod tidy;

const HELP: &str = "\
cargo xtask COMMAND

  setup                  install the Debian packages that tests and lab use, and what drives
                         the browser (root)
  test                   build, simulate 1,000 seeds, run every test (root)
  lab [ARGUMENTS]        two gateways on this machine, with traffic (root); `lab --help`
  bench [ARGUMENTS]      measure, as `bench failover --against keepalived` or
                         `bench sync --against rsync,csync2,lsyncd`, `bench console`,
                         `bench logs --against relp`, or
                         `bench flows --against conntrackd` (root)
  sim --seeds N          simulate pairs over a faulty network; `--seed S` replays one
  package                build the Debian package
  machines [NAME…]       its tests on two machines that boot Debian's systemd (root)
  tidy [--lower]         the house rules; `--lower` tightens their ratchet
  docs [--check]         write docs/reference anew, or compare it; check all links
  fuzz [--minutes N] [TARGET…]
                         fuzz each decoder for N minutes (10; needs cargo-fuzz, nightly)
  fuzz-api [--cases N] [--seed S]
                         ask every route of the API what its document says and what it does
                         not, N bodies a route (100) and what is wrong with them (root)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome {
    let Some((command, rest)) = arguments.split_first() else {
        eprint!("{HELP}");
        return fail!("which command?");
    };
    let root = shell::root()?;
    match command.as_str() {
        "setup" => setup::setup(&root),
        "test" => test::test(&root),
        "lab" => programs::lab(&root, rest),
        "bench" => programs::bench(&root, rest),
        "sim" => programs::sim(&root, rest),
        "machines" => machines::machines(&root, rest),
        "package" => package::package(&root, rest),
        "tidy" => tidy::tidy(&root, rest),
        "docs" => docs::docs(&root, rest),
        "fuzz" => programs::fuzz(&root, rest),
        "fuzz-api" => programs::fuzz_api(&root, rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => fail!("{other}: no such command; `cargo xtask help` lists them"),
    }
}

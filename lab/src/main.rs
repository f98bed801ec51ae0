//! `twinwall-lab`: two gateways on this machine, faults, and what a client sees of
//! them. Started by `cargo xtask lab` and by `twinwall lab`.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use twinwall_lab::error::{LabError, Result};
use twinwall_lab::isolate::{self, Side};
use twinwall_lab::lab::{Form, HaForm};
use twinwall_lab::product::{Duties, Flows, Product};
use twinwall_lab::run::{self, Order};
use twinwall_lab::scenario::{self, Scenario};
use twinwall_lab::{bench, live, plan, report};

/// Lines of a time line that the table shows; `--json` has them all.
const LINES_SHOWN: usize = 40;

/// Two gateways, switches, a client and a server on this machine, with the real
/// programs: shows and measures failovers. Needs root; leaves nothing behind.
#[derive(Parser)]
#[command(name = "twinwall-lab", version)]
#[command(after_help = "`twinwall-lab bench --help`: compare with another product")]
struct Options {
    /// Play this scenario instead of the live lab; may be given more than once, `all` plays them all.
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// How often each scenario is played; the active gateway alternates.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    reps: u32,
    /// Print one JSON value for each repetition instead of text.
    #[arg(long, requires = "scenario")]
    json: bool,
    /// Show the time line of both nodes after each repetition.
    #[arg(long, requires = "scenario")]
    events: bool,
    /// List the scenarios.
    #[arg(long)]
    list: bool,
    /// The guard's program; by default the one beside this program.
    #[arg(long, value_name = "PATH")]
    guard: Option<PathBuf>,
    /// What runs on the gateways: twinwall, or keepalived to compare with.
    #[arg(long, value_name = "NAME", default_value = "twinwall", value_parser = product)]
    product: Product,
    /// Heartbeat or advert interval of the live lab; scenarios have their own.
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = interval_seconds)]
    interval: Duration,
    /// A switch between the HA ports of the live lab, instead of a cable.
    #[arg(long)]
    switched: bool,
    /// Watch for so many seconds after the fault, instead of the scenario's own time.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "scenario")]
    observe: Option<Duration>,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(cause) => {
            eprintln!("twinwall-lab: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some("bench") {
        return bench::command::command(words, guard_program);
    }
    let options = Options::parse();
    if options.list {
        print_list();
        return Ok(ExitCode::SUCCESS);
    }
    let scenarios = chosen(&options.scenario)?;
    let program = match options.product {
        Product::Keepalived => PathBuf::new(),
        Product::Twinwall => guard_program(options.guard.clone())?,
    };
    let is_live = scenarios.is_empty() && options.product == Product::Twinwall;
    let crossed = if is_live { isolate::cross_with_doors() } else { isolate::cross() };
    let outer_pid = match crossed? {
        Side::Done(code) => return Ok(code),
        Side::Inside { outer_pid } => outer_pid,
    };
    if scenarios.is_empty() {
        let twinwall = twinwall_program(&options, &program)?;
        live::show(live_form(&options, program, twinwall), outer_pid)?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "to look inside: nsenter -t {outer_pid} -p -m ip netns exec {} ip addr",
        plan::GATEWAY_A
    );
    let order =
        Order { product: options.product, program, reps: options.reps, observe: options.observe };
    play(&scenarios, &order, &options)
}

/// The command beside the guard's program, for the live lab's two appliances.
fn twinwall_program(options: &Options, guard: &Path) -> Result<Option<PathBuf>> {
    if options.product != Product::Twinwall {
        return Ok(None);
    }
    run::beside(guard).map(Some)
}

fn live_form(options: &Options, program: PathBuf, twinwall: Option<PathBuf>) -> Form {
    Form {
        product: options.product,
        program,
        twinwall,
        consoles: None,
        interval: options.interval,
        ha: if options.switched { HaForm::Switched } else { HaForm::Direct },
        further_vips: 0,
        nat: false,
        flows: Flows::Ignored,
        duties: Duties::None,
    }
}

/// Plays them all; one that cannot be played says why, and the others still are.
fn play(scenarios: &[&Scenario], order: &Order, options: &Options) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for scenario in scenarios {
        if !options.json {
            println!(
                "{} ({}, {}): {}",
                scenario.name,
                order.product.name(),
                interval(scenario),
                scenario.shows
            );
        }
        let told = run::play(scenario, order, |outcome| {
            if options.json {
                // A value of ours always has a JSON form; a closed pipe ends the lab soon enough.
                println!("{}", serde_json::to_string(outcome).unwrap_or_default());
            } else {
                println!("{}", report::line(outcome));
                if options.events {
                    print!("{}", report::events(&outcome.events, LINES_SHOWN));
                }
            }
        });
        match told {
            Ok(outcomes) => {
                if !options.json {
                    println!("{}\n", report::summary(scenario, &outcomes));
                }
                if outcomes.iter().any(|outcome| !outcome.missed.is_empty()) {
                    code = ExitCode::from(2);
                }
            }
            Err(cause) => {
                eprintln!("twinwall-lab: {}: {cause}", scenario.name);
                code = ExitCode::FAILURE;
            }
        }
        // Output may go to a file that somebody follows.
        let _ = io::stdout().flush();
    }
    Ok(code)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if names.iter().any(|name| name == "all") {
        return Ok(scenario::all().collect());
    }
    let find = |name: &String| {
        scenario::find(name).ok_or_else(|| {
            LabError::Usage(format!("no scenario is called '{name}'; `--list` names them all"))
        })
    };
    names.iter().map(find).collect()
}

fn print_list() {
    for scenario in scenario::all() {
        println!("{:<26} {:>8}  {}", scenario.name, interval(scenario), scenario.shows);
    }
}

fn interval(scenario: &Scenario) -> String {
    format!("{} ms", scenario.interval.as_millis())
}

/// Found before the mounts change, so that a relative path means what it says.
fn guard_program(named: Option<PathBuf>) -> Result<PathBuf> {
    let beside =
        || env::current_exe().ok().and_then(|own| Some(own.parent()?.join("twinwall-guard")));
    let Some(path) = named.or_else(beside) else {
        return Err(LabError::Usage(
            "this program's folder is unknown; name the guard by --guard PATH".into(),
        ));
    };
    path.canonicalize().map_err(|cause| {
        LabError::Usage(format!(
            "{}: {cause}; build the guard, or name it by --guard PATH",
            path.display()
        ))
    })
}

fn product(text: &str) -> std::result::Result<Product, String> {
    [Product::Twinwall, Product::Keepalived]
        .into_iter()
        .find(|product| product.name() == text)
        .ok_or_else(|| "choose twinwall or keepalived".to_owned())
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    between(text, 0.1, 3600.0)
}

fn interval_seconds(text: &str) -> std::result::Result<Duration, String> {
    between(text, 0.01, 60.0)
}

fn between(text: &str, least: f64, most: f64) -> std::result::Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "a number of seconds, as 2.5".to_owned())?;
    if (least..=most).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(format!("{least} to {most} seconds"))
    }
}

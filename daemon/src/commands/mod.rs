//! One file for each group of commands; this one only finds the right one.

mod access;
mod account;
mod agent;
mod alerts;
mod ask;
mod audit;
mod bundle;
mod check;
mod conditions;
mod events;
mod failovers;
mod flows;
mod ha;
mod ha_look;
mod jobs;
mod keygen;
mod leases;
mod logs;
mod metrics;
mod pair;
mod preflight;
mod profile;
mod ready;
mod record;
mod reports;
mod run;
mod services;
mod snmp;
mod start;
mod status;
mod switchover;
mod sync;
mod test_failover;
mod ward;
mod web;

use std::fs;
use std::path::Path;

use crate::cli::{Cli, Command};
use crate::pages;
use crate::show;
use twinwall::failure::Failure;

/// Does what the command line says.
pub(crate) fn perform(cli: &Cli) -> Result<(), Failure> {
    let root = &cli.root;
    match &cli.command {
        Command::Run => run::run(root),
        Command::Agent(args) => agent::agent(root, args),
        Command::Sync(args) => sync::sync(root, args),
        Command::Pair(order) => pair::pair(root, order),
        Command::Web(args) => web::web(root, args),
        Command::Snmp(args) => snmp::snmp(root, args),
        Command::Account(order) => account::account(root, order),
        Command::Audit(args) => audit::audit(root, args),
        Command::SupportBundle(args) => bundle::support_bundle(root, args),
        Command::Jobs(args) => jobs::jobs(root, args),
        Command::Guard => start::guard(root),
        Command::Status(args) => status::status(root, args),
        Command::Preflight(args) => preflight::preflight(root, args),
        Command::Ready(args) => ready::ready(root, args),
        Command::Conditions(args) => conditions::conditions(root, args),
        Command::Notices(args) => conditions::notices(root, args),
        Command::Reach(args) => conditions::reach(root, args),
        Command::Resources(args) => conditions::resources(root, args),
        Command::Services(args) => services::services(root, args),
        Command::Explain(args) => status::explain(root, args),
        Command::Events(args) => events::events(root, args),
        Command::Failovers(args) => failovers::failovers(root, args),
        Command::Flows(args) => flows::flows(root, args),
        Command::Alerts(args) => alerts::alerts(root, args),
        Command::Metrics => metrics::metrics(root),
        Command::Reports(args) => reports::reports(root, args),
        Command::Availability(args) => reports::availability(root, args),
        Command::Leases(args) => leases::leases(root, args),
        Command::Probe(args) => leases::probe(root, args),
        Command::Logs(args) => logs::logs(root, args),
        Command::Switchover(args) => switchover::switchover(root, args),
        Command::TestFailover(args) => test_failover::test_failover(root, args),
        Command::Maintenance(order) => ask::maintenance(root, order),
        Command::ClearDamping => ask::clear_damping(root),
        Command::Fact(args) => ask::fact(root, args),
        Command::Reload => ask::reload(root),
        Command::Check(args) => check::check(root, args),
        Command::Ha(order) => ha::ha(root, order),
        Command::Profile(order) => profile::profile(root, order),
        Command::Keygen(args) => keygen::keygen(root, args),
        Command::Record(args) => record::record(root, args),
        Command::Lab(args) => start::lab(args),
        Command::Completions(args) => show::print_raw(&pages::completions(args.shell)),
        Command::Man(args) => write_pages(&args.directory, &pages::man()?),
        Command::Docs(args) => write_pages(&args.directory, &pages::reference()),
    }
}

fn write_pages(directory: &Path, pages: &[pages::Page]) -> Result<(), Failure> {
    let writing =
        |path: &Path, error| Failure::machine(format!("writing {}", path.display()), &error);
    fs::create_dir_all(directory).map_err(|error| writing(directory, error))?;
    for page in pages {
        let path = directory.join(&page.name);
        fs::write(&path, &page.text).map_err(|error| writing(&path, error))?;
    }
    Ok(())
}

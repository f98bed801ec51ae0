//! Every command and flag, defined once: help, man pages, completions and
//! docs/reference/cli.md are made from here. It never does anything itself.

mod account;
mod alerts;
mod conditions;
mod ha;
mod jobs;
mod logs;
mod pair;
mod profile;
mod reports;
mod services;
mod snmp;
mod span;
mod sync;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use account::{Account, AuditArgs, SupportBundleArgs, Token, WebArgs, WebOrder};
pub(crate) use alerts::{AlertsArgs, AlertsOrder};
pub(crate) use conditions::{ConditionsArgs, NoticesArgs, ReachArgs, ResourcesArgs};
pub(crate) use ha::{Ha, HaSetArgs};
pub(crate) use jobs::{JobOrder, JobsArgs, TestFailoverArgs};
pub(crate) use logs::LogsArgs;
pub(crate) use pair::{InviteArgs, JoinArgs, Pair};
pub(crate) use profile::{Profile, ProfileCheckArgs, ProfileNetworkdArgs, ProfileShowArgs};
pub(crate) use reports::{AvailabilityArgs, LeasesArgs, ProbeArgs, ReportsArgs, ReportsOrder};
pub(crate) use services::{ServicesArgs, ServicesOrder};
pub(crate) use snmp::{SnmpArgs, SnmpOrder};
pub(crate) use span::parse_span;
pub(crate) use sync::{DiffArgs, ForceArgs, HistoryArgs, RestoreArgs, SyncArgs, SyncOrder};

/// Two identical Linux gateways that act as one which does not go down.
#[derive(Parser)]
#[command(name = "twinwall", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Where etc/twinwall and run/twinwall are looked for
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Part of the interface: scripts may rely on it.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a problem was found, or the order was refused
  2  the command line is wrong
  3  guard, agent or the other node cannot be reached, or does not answer as it should
  4  this machine did not allow it: a file, a right, a missing program";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run this node in the foreground: start guard and agent, and start them again whenever they end
    Run,
    /// Keep the two nodes alike: pairing, configuration, and the API on a socket; the role
    /// does not depend on it
    Agent(AgentArgs),
    /// Show how the configuration of the two nodes stands, section by section, and change it
    Sync(SyncArgs),
    /// Make two nodes a pair by a short code, see how that stands, and undo it
    #[command(subcommand)]
    Pair(Pair),
    /// Serve the console: pages and the API over HTTPS; the role does not depend on it
    Web(WebArgs),
    /// Serve snmpd of this node with both nodes' data; the role does not depend on it
    Snmp(SnmpArgs),
    /// Who may sign in to the console, and what each may do
    #[command(subcommand)]
    Account(Account),
    /// Show who changed what on this node, and who signed in to the console
    Audit(AuditArgs),
    /// Write a file for whoever helps: state of the pair; events, settings and the last log lines
    /// of twinwall on this node; no secrets
    SupportBundle(SupportBundleArgs),
    /// Show long operations of the agent, or stop one
    Jobs(JobsArgs),
    /// Become twinwall-guard, the small process that holds the role; nothing starts it again
    Guard,
    /// Show what this node is and does, alarms first
    Status(StatusArgs),
    /// Say whether a failover would work right now, and what speaks against it
    ///
    /// Ends with 1 when it would not.
    Ready(ReadyArgs),
    /// Show what is the matter with either node or the pair, the worst first, with what to do
    Conditions(ConditionsArgs),
    /// Show what was raised, was cleared or happened, on both nodes
    Notices(NoticesArgs),
    /// Show which gateways answer this node and which the other one
    Reach(ReachArgs),
    /// Show what this node has left: memory, disks, connections, temperatures
    Resources(ResourcesArgs),
    /// Compare the two nodes in the prerequisites of high availability, with both values
    ///
    /// 'ha enable' does the same first. Ends with 1 when one is not met or the other node
    /// cannot be asked. On lab and virtual machines 'ha set preflight.override+=NAME' takes
    /// one as it is.
    Preflight(PreflightArgs),
    /// Show the services that run only on the active node and the health checks, as they are here
    Services(ServicesArgs),
    /// Say why this node has its role: what is true, who should serve, what follows
    Explain(ExplainArgs),
    /// Show what happened on this node
    Events(EventsArgs),
    /// Show the moves of the active role, each with its outage; with an ID what both nodes saw
    /// and did when
    Failovers(FailoversArgs),
    /// Show the reports of both appliances, or write one into a file
    Reports(ReportsArgs),
    /// Show how available the pair was in a month: outages, moves of the role, drills
    Availability(AvailabilityArgs),
    /// Show the DHCP leases that this node knows, and whether its server would know them too
    Leases(LeasesArgs),
    /// Show what the probe pings, and the last times without an answer
    Probe(ProbeArgs),
    /// Show how far the passive node's kernel has the active node's connections
    Flows(FlowsArgs),
    /// Show whom the pair tells when something happens, try a target, set its secret
    ///
    /// Targets are settings: twinwall ha set alerts.NAME.kind=webhook alerts.NAME.url=URL
    Alerts(AlertsArgs),
    /// Print the state of both nodes as Prometheus reads it
    Metrics,
    /// Show the logs of both nodes, merged by time
    ///
    /// Each line with its time, its node and its source. Controls and other characters that
    /// nobody sees are written out.
    Logs(LogsArgs),
    /// Move the active role to the other node, without losing a packet
    ///
    /// Give it on the active node. Waits until the other node serves. A node that lacks
    /// connections is waited for, for 30 s at the most; why it lacks them is told at once.
    Switchover(SwitchoverArgs),
    /// Move the active role to see that it can: there and back, with the outage of each move
    ///
    /// On either node. Refused while a failover would not work. Ctrl-C leaves the role where it is.
    TestFailover(TestFailoverArgs),
    /// Take this node out of service for a time, or put it back
    #[command(subcommand)]
    Maintenance(Maintenance),
    /// Release interfaces that are held back because they flapped
    ClearDamping,
    /// Tell the guard the verdict of a check; it holds for a time only
    Fact(FactArgs),
    /// Read node.toml and pair.toml again and apply them without changing the role
    ///
    /// The guard does. A changed profile counts from the next start of the agent.
    Reload,
    /// Look for mistakes in node.toml, pair.toml and the key file
    Check(CheckArgs),
    /// High availability: its settings, and whether it is on
    #[command(subcommand)]
    Ha(Ha),
    /// Look at the appliance profile: what the sections of the configuration are made of
    #[command(subcommand)]
    Profile(Profile),
    /// Write a new key for the pair; copy the file to the other node
    Keygen(KeygenArgs),
    /// Record everything that reaches the guard's core, for a replay; ends with Ctrl-C
    Record(RecordArgs),
    /// Build two nodes on this machine and show failovers
    ///
    /// Passes all arguments on to twinwall-lab.
    #[command(disable_help_flag = true)]
    Lab(LabArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Write the man pages into a directory
    Man(DirectoryArgs),
    /// Write the reference pages into a directory
    #[command(hide = true)]
    Docs(DirectoryArgs),
}

#[derive(Args)]
pub(crate) struct AgentArgs {
    /// 'twinwall run' started it and supervises the guard
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
    #[command(subcommand)]
    pub(crate) order: Option<AgentOrder>,
}

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum AgentOrder {
    /// Undo a change of the configuration that was interrupted, before services read their
    /// files, and end
    Recover,
    /// Take away what connection replication keeps in the kernel, and what twinwall added to
    /// snmpd's configuration: when the package is removed
    Clear,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Print JSON; with --watch one line for each change
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on and show each change
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Args)]
pub(crate) struct PreflightArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ReadyArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Print JSON: a list of questions with their sentences
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct EventsArgs {
    /// Print JSON, one event a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on and show each event as it happens
    #[arg(long)]
    pub(crate) follow: bool,
    /// Show only the last N events
    #[arg(long, short = 'n', value_name = "N", value_parser = parse_count)]
    pub(crate) last: Option<usize>,
}

#[derive(Args)]
pub(crate) struct FailoversArgs {
    /// Show one report, as the list names it
    pub(crate) id: Option<String>,
    /// Print JSON: a list of reports, or one
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the report as one HTML file that needs nothing beside it; it must not exist yet
    #[arg(long, value_name = "FILE", requires = "id", conflicts_with = "json")]
    pub(crate) html: Option<PathBuf>,
    /// Show only the last N reports
    #[arg(long, short = 'n', value_name = "N", default_value = "10", value_parser = parse_count)]
    pub(crate) last: usize,
}

#[derive(Args)]
pub(crate) struct FlowsArgs {
    /// Print JSON; with --watch a line for each look
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on and show a line each second
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Args)]
pub(crate) struct SwitchoverArgs {
    /// Wait at most this long for the other node to serve
    #[arg(long, value_name = "TIME", default_value = "45s", value_parser = parse_span)]
    pub(crate) timeout: Duration,
}

#[derive(Subcommand)]
pub(crate) enum Maintenance {
    /// Take this node out of service; an active node hands over first
    On {
        /// It ends by itself after this time, as 2h, 30m or 45s
        #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = parse_span)]
        lasts: Duration,
    },
    /// Put this node back into service
    Off,
}

#[derive(Args)]
pub(crate) struct FactArgs {
    /// Name of the check, as in [readiness] require
    pub(crate) name: String,
    /// The verdict
    #[arg(value_enum, value_name = "good|bad")]
    pub(crate) verdict: Verdict,
    /// Why it is bad, for people; a bad verdict needs it
    #[arg(long, required_if_eq("verdict", "bad"), value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,
    /// How long the verdict holds, as 30s or 5m; 7 days at the most
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = parse_span)]
    pub(crate) holds: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verdict {
    /// The check is content
    Good,
    /// The check is not content: the node is unfit
    Bad,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Print JSON: a list of problems
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not ask whether this machine has the interfaces and its own addresses
    #[arg(long)]
    pub(crate) files_only: bool,
}

#[derive(Args)]
pub(crate) struct KeygenArgs {
    /// Replace a key that is there already; the nodes do not hear each other until both have the new one
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct RecordArgs {
    /// The file to write; it must not exist yet
    pub(crate) file: PathBuf,
}

#[derive(Args)]
pub(crate) struct LabArgs {
    /// Arguments of twinwall-lab; try --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<std::ffi::OsString>,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args)]
pub(crate) struct DirectoryArgs {
    /// The directory; made if it is not there
    pub(crate) directory: PathBuf,
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("'{text}' is no number; write it as 20"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn how_many_of_the_last_is_asked_by_the_same_letter_everywhere() {
        let command = Cli::command();
        let options = command.get_subcommands().flat_map(clap::Command::get_arguments);
        let last: Vec<_> = options.filter(|it| it.get_long() == Some("last")).collect();
        assert!(last.len() > 3, "{last:?}");
        assert!(last.iter().all(|it| it.get_short() == Some('n')), "{last:?}");
    }
}

//! Pages that the program writes about itself: completions, man pages and the
//! reference. All come from `cli` and from the core's table of settings.

use clap::{Arg, ArgAction, Command, CommandFactory};

use schemars::{JsonSchema, SchemaGenerator};

use twinwall::agent::api;
use twinwall::agent::conditions::catalogue;
use twinwall::agent::failovers::Report;
use twinwall::agent::logs::search::LogLine;
use twinwall::agent::metrics;
use twinwall::agent::preflight::Preflight;
use twinwall::agent::profile;
use twinwall::agent::readiness::Readiness;
use twinwall_core::api::Numbered;
use twinwall_core::config::{self, Problem};

use crate::cli::{Cli, EXIT_CODES};
use twinwall::agent::api::guard::{Explained, StatusView};
use twinwall::failure::Failure;

/// A file to write.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "twinwall", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A man page for the program and one for each command.
pub(crate) fn man() -> Result<Vec<Page>, Failure> {
    // 'help' has no page, so no page may name it.
    let mut root = Cli::command().disable_help_subcommand(true);
    // Gives the commands the global flags and their full names.
    root.build();
    let mut pages = Vec::new();
    man_pages(&mut pages, &root, "twinwall".to_owned())?;
    Ok(pages)
}

fn man_pages(pages: &mut Vec<Page>, command: &Command, name: String) -> Result<(), Failure> {
    for below in listed(command) {
        man_pages(pages, below, format!("{name}-{}", below.get_name()))?;
    }
    pages.push(man_page(command, name)?);
    Ok(())
}

fn man_page(command: &Command, name: String) -> Result<Page, Failure> {
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(command.clone().display_name(&name));
    man.render(&mut text).map_err(|error| Failure::machine(format!("writing {name}.1"), &error))?;
    Ok(Page { name: format!("{name}.1"), text: String::from_utf8_lossy(&text).into_owned() })
}

/// The pages of docs/reference.
pub(crate) fn reference() -> Vec<Page> {
    vec![
        Page { name: "cli.md".to_owned(), text: cli_reference() },
        Page { name: "api.md".to_owned(), text: api::reference() },
        Page { name: "configuration.md".to_owned(), text: config::reference() },
        Page { name: "metrics.md".to_owned(), text: metrics::table::page() },
        Page { name: "profile.md".to_owned(), text: profile::reference() },
        Page { name: "conditions.md".to_owned(), text: catalogue::page() },
        schema::<StatusView>("status"),
        schema::<Vec<Explained>>("explain"),
        schema::<Numbered>("event"),
        schema::<Vec<Problem>>("check"),
        schema::<profile::Look>("profile"),
        schema::<Readiness>("ready"),
        schema::<Preflight>("preflight"),
        schema::<Vec<Report>>("failovers"),
        schema::<LogLine>("logs"),
    ]
}

/// The JSON schema of what a command prints with `--json`, made from the types themselves.
fn schema<T: JsonSchema>(name: &str) -> Page {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    Page { name: format!("{name}.schema.json"), text: format!("{:#}\n", schema.as_value()) }
}

fn cli_reference() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = String::from(
        "# Command reference\n\nGenerated from the program's own definition of its command line. \
         How the commands are used: [command line](../cli.md).\n\n\
         `--root DIR` (default `/`) comes before or after every command: everything is looked for below it.\n\n",
    );
    page += &format!("```\n{EXIT_CODES}\n```\n");
    for command in listed(&root) {
        command_reference(&mut page, command, "twinwall");
    }
    page
}

fn command_reference(page: &mut String, command: &Command, parent: &str) {
    let path = format!("{parent} {}", command.get_name());
    let below: Vec<&Command> = listed(command).collect();
    if below.is_empty() || !command.is_subcommand_required_set() {
        *page += &format!("\n## {path}\n\n");
        let about = command
            .get_long_about()
            .or(command.get_about())
            .map(ToString::to_string)
            .unwrap_or_default();
        for paragraph in about.split("\n\n") {
            *page += &format!("{}.\n\n", paragraph.trim_end_matches('.'));
        }
        *page += &format!("```\n{}\n```\n", usage(command, &path));
        arguments(page, command);
    }
    for command in below {
        command_reference(page, command, &path);
    }
}

fn usage(command: &Command, path: &str) -> String {
    let mut words = vec![path.to_owned()];
    for arg in own_arguments(command) {
        let value = value_name(arg);
        words.push(match (arg.get_long(), arg.get_action().takes_values()) {
            (Some(long), true) if arg.is_required_set() => format!("--{long} {value}"),
            (Some(long), true) => format!("[--{long} {value}]"),
            (Some(long), false) => format!("[--{long}]"),
            (None, _) => match (arg.is_required_set(), takes_many(arg)) {
                (true, false) => value,
                (true, true) => format!("{value}..."),
                (false, false) => format!("[{value}]"),
                (false, true) => format!("[{value}]..."),
            },
        });
    }
    words.join(" ")
}

fn arguments(page: &mut String, command: &Command) {
    let args: Vec<&Arg> = own_arguments(command).collect();
    if args.is_empty() {
        return;
    }
    *page += "\n| argument | meaning | default |\n| --- | --- | --- |\n";
    for arg in args {
        let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
        let name = match arg.get_long() {
            Some(long) if arg.get_action().takes_values() => {
                format!("{short}--{long} {}", value_name(arg))
            }
            Some(long) => format!("{short}--{long}"),
            None => value_name(arg),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default = arg
            .get_default_values()
            .first()
            .filter(|value| arg.get_action().takes_values() && !value.is_empty());
        let default =
            default.map(|value| format!("`{}`", value.to_string_lossy())).unwrap_or_default();
        *page += &format!("| `{}` | {help} | {default} |\n", name.replace('|', "\\|"));
    }
}

/// Whether it may be given more than once.
fn takes_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn value_name(arg: &Arg) -> String {
    let words = arg.get_possible_values();
    let choices: Vec<&str> =
        words.iter().filter(|word| !word.is_hide_set()).map(|word| word.get_name()).collect();
    match (choices.as_slice(), arg.get_value_names()) {
        ([_, _, ..], _) if arg.get_action().takes_values() => choices.join("|"),
        (_, Some([name, ..])) => name.to_string(),
        (_, _) => arg.get_id().as_str().to_uppercase(),
    }
}

/// The commands that people see.
fn listed(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

/// The arguments of this command alone.
fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_global_set() && !tells_of_the_program(arg))
}

/// Those that every command has.
fn tells_of_the_program(arg: &Arg) -> bool {
    use ArgAction::{Help, HelpLong, HelpShort, Version};
    matches!(arg.get_action(), Help | HelpShort | HelpLong | Version)
}

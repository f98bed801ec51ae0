//! `twinwall leases` and `twinwall probe`: DHCP leases on both nodes, and what measures outages.

use std::path::Path;

use twinwall::agent::leases::{LeaseFileView, LeasePart, LeasesView};
use twinwall::agent::probe::{Part, ProbeView, ProbesView};
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::cli::{LeasesArgs, ProbeArgs};
use crate::show::{print, print_json};
use crate::system;

pub(super) fn leases(root: &Path, args: &LeasesArgs) -> Result<(), Failure> {
    let view: LeasesView = Api::of(root).get("/api/v1/leases")?;
    if args.json {
        return print_json(&view);
    }
    if view.files.is_empty() {
        return print("The profile names no file of leases ([[leases]]).\n");
    }
    print(&view.files.iter().map(file).collect::<String>())
}

fn file(file: &LeaseFileView) -> String {
    let count = match file.leases {
        None => "no such file".to_owned(),
        Some(1) => "1 lease".to_owned(),
        Some(count) => format!("{count} leases"),
    };
    let part = match (file.part, file.written) {
        (LeasePart::Idle, _) => "not replicated now".to_owned(),
        (LeasePart::Source, _) => format!("{count}, told to the other node"),
        (LeasePart::Copy, Some(true)) => format!("{count}, all in this node's file"),
        (LeasePart::Copy, Some(false)) => format!("{count}, not all in this node's file yet"),
        (LeasePart::Copy, None) => {
            format!("{count}, not written here: {} is left alone", file.service)
        }
    };
    let trouble = file.trouble.as_ref().map(|why| format!("    {why}\n")).unwrap_or_default();
    format!("{:<14} {part}  ({})\n{trouble}", file.name, file.path)
}

pub(super) fn probe(root: &Path, args: &ProbeArgs) -> Result<(), Failure> {
    let view: ProbesView = Api::of(root).get("/api/v1/probe")?;
    if args.json {
        return print_json(&view);
    }
    if view.probes.is_empty() {
        return print("Nothing is probed; 'twinwall ha set probe.virtual_ips+=ADDRESS' begins.\n");
    }
    let mut text: String = view.probes.iter().map(probed).collect();
    for silence in &view.silences {
        let at = system::local_time(silence.from_us / 1000);
        text += &format!("{at}  {}\n", silence.sentence());
    }
    print(&text)
}

fn probed(probe: &ProbeView) -> String {
    let target = probe.target.as_deref().unwrap_or("no target in its network");
    let does = match probe.part {
        Part::Idle => "nothing is asked now".to_owned(),
        Part::Watching => "pinged from this node".to_owned(),
        Part::Serving => format!("{target} pinged from it"),
    };
    let last = probe
        .answered_ms
        .map_or_else(|| "no answer yet".to_owned(), |ms| format!("last answer {ms:.0} ms ago"));
    let trouble = probe.trouble.as_ref().map(|why| format!("    {why}\n")).unwrap_or_default();
    format!("{} on {}: {does}, {last}\n{trouble}", probe.virtual_ip, probe.interface)
}

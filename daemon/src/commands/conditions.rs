//! `twinwall conditions`, `notices`, `reach` and `resources`: what is the matter, what was
//! told of it, and two of the things that it is made from.

use std::path::Path;
use std::time::Duration;

use twinwall::agent::api::conditions::ConditionsView;
use twinwall::agent::conditions::{Kind, Notice, Standing};
use twinwall::agent::reach::view::{GatewayView, ReachView};
use twinwall::agent::resources::view::ResourcesView;
use twinwall::failure::Failure;
use twinwall_core::explain::span;

use crate::api_client::Api;
use crate::cli::{ConditionsArgs, NoticesArgs, ReachArgs, ResourcesArgs};
use crate::show::{print, print_json};
use crate::system::local_time;

/// Between two looks with `--follow`.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn conditions(root: &Path, args: &ConditionsArgs) -> Result<(), Failure> {
    let view: ConditionsView = Api::of(root).get("/api/v1/conditions")?;
    if args.json { print_json(&view) } else { print(&text(&view)) }
}

fn text(view: &ConditionsView) -> String {
    let mut text = match view.present.len() {
        0 => "Nothing is the matter.\n".to_owned(),
        1 => "One condition is raised.\n\n".to_owned(),
        several => format!("{several} conditions are raised.\n\n"),
    };
    text.extend(view.present.iter().map(standing));
    let speaks = if view.speaks { "speaks" } else { "does not speak" };
    text += &format!("\n{} {speaks} for the pair.\n", view.node);
    if view.left_out > 0 {
        text += &format!("{} conditions had no room and are not shown.\n", view.left_out);
    }
    text
}

fn standing(one: &Standing) -> String {
    let subject = one.subject.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    let known = if one.known { "" } else { "; it may be better by now" };
    let ends = one.good_for_ms.map(|good| span(Duration::from_millis(good)));
    let ends = ends.map(|good| format!("; ending, good for {good}")).unwrap_or_default();
    format!(
        "{:<8}  {} on {}{subject}, since {}{ends}{known}\n          {}\n          What now: {}.\n",
        one.severity.word(),
        one.condition,
        one.node,
        local_time(one.since_ms),
        one.text,
        one.what_now
    )
}

pub(super) fn notices(root: &Path, args: &NoticesArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    let first: Vec<Notice> = api.get(&format!("/api/v1/notices?last={}", args.last))?;
    let mut last = first.last().map_or(0, |notice| notice.id);
    show(&first, args.json)?;
    if !args.follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(LOOK);
        let more: Vec<Notice> = api.get(&format!("/api/v1/notices?after={last}"))?;
        last = more.last().map_or(last, |notice| notice.id);
        show(&more, args.json)?;
    }
}

fn show(notices: &[Notice], json: bool) -> Result<(), Failure> {
    for one in notices {
        if json { print_json(one)? } else { print(&line(one))? }
    }
    Ok(())
}

fn line(one: &Notice) -> String {
    let subject = one.subject.as_ref().filter(|_| one.kind != Kind::Happened);
    let subject = subject.map(|it| format!(" {it}")).unwrap_or_default();
    format!(
        "{}  {:<8}  {:<8}  {} on {}{subject}: {}\n",
        local_time(one.at_ms),
        one.kind.word(),
        one.severity.word(),
        one.condition,
        one.node,
        one.text
    )
}

pub(super) fn reach(root: &Path, args: &ReachArgs) -> Result<(), Failure> {
    let view: ReachView = Api::of(root).get("/api/v1/reach")?;
    if args.json { print_json(&view) } else { print(&gateways(&view)) }
}

fn gateways(view: &ReachView) -> String {
    if view.gateways.is_empty() {
        return "No gateway is asked: none is configured, or high availability is off. Add one \
                with 'twinwall ha set interface.NAME.gateways+=ADDRESS'.\n"
            .to_owned();
    }
    view.gateways.iter().map(gateway).collect()
}

fn gateway(one: &GatewayView) -> String {
    let since = span(Duration::from_secs(one.since_s.max(0.0) as u64));
    let here = match one.here {
        Some(true) => "answers".to_owned(),
        Some(false) => format!("does not count as reached: {}", one.why),
        None => format!("not known: {}", one.why),
    };
    let there = match one.there {
        Some(true) => "answers",
        Some(false) => "does not answer",
        None => "not known",
    };
    let took = one.round_trip_ms.map(|ms| format!(", in {ms:.1} ms")).unwrap_or_default();
    format!(
        "{} on {} ({})\n  here   {here} for {since}{took}\n  there  {there}\n",
        one.address,
        one.interface,
        one.way.words()
    )
}

pub(super) fn resources(root: &Path, args: &ResourcesArgs) -> Result<(), Failure> {
    let view: ResourcesView = Api::of(root).get("/api/v1/resources")?;
    if args.json { print_json(&view) } else { print(&left(&view)) }
}

fn left(view: &ResourcesView) -> String {
    let mib = |bytes: u64| bytes / (1 << 20);
    let (now, limits) = (&view.now, &view.limits);
    let mut text = String::new();
    let mut row = |name: &str, used: String, limit: String| {
        text += &format!("{name:<28}  {used:<40}  limit {limit}\n");
    };
    if let Some(memory) = &now.memory {
        let used = format!(
            "{:.0} % in use, {} MiB left",
            memory.used_percent(),
            mib(memory.available_bytes)
        );
        row("memory", used, format!("{} %", limits.memory_percent));
    }
    for disk in &now.disks {
        let used =
            format!("{:.0} % in use, {} MiB left", disk.used_percent(), mib(disk.free_bytes));
        row(&disk.mounted_for, used, format!("{} %", limits.disk_percent));
    }
    if let Some(table) = &now.connections {
        let used =
            format!("{:.0} % in use, {} of {}", table.used_percent(), table.count, table.most);
        row("connections", used, format!("{} %", limits.connections_percent));
    }
    for sensor in &now.temperatures {
        let limit = f64::from(limits.temperature_celsius);
        let limit = sensor.critical_celsius.map_or(limit, |critical| critical.min(limit));
        row(&sensor.name, format!("{:.0} °C", sensor.celsius), format!("{limit:.0} °C"));
    }
    if text.is_empty() {
        text += "Nothing was looked at yet; ask again in some seconds.\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::conditions::{ConditionId, Severity};
    use twinwall::agent::reach::view::Way;
    use twinwall::agent::resources::view::{Disk, Limits, Memory, Resources};

    #[test]
    fn what_is_the_matter_is_told_with_node_subject_and_advice() {
        let one = Standing {
            condition: ConditionId::DiskFull,
            node: "gw-b".to_owned(),
            subject: Some("/var".to_owned()),
            severity: Severity::Major,
            since_ms: 0,
            known: false,
            good_for_ms: None,
            text: "It is full.".to_owned(),
            what_now: "make room".to_owned(),
        };
        let mut view = ConditionsView {
            node: "gw-a".to_owned(),
            speaks: true,
            present: vec![one],
            left_out: 0,
        };
        let shown = text(&view);
        assert!(
            shown.starts_with(
                "One condition is raised.\n\nmajor     disk-full on gw-b /var, since "
            )
        );
        assert!(shown.contains("; it may be better by now\n          It is full.\n"), "{shown}");
        assert!(shown.ends_with("What now: make room.\n\ngw-a speaks for the pair.\n"), "{shown}");
        view.present.clear();
        assert!(text(&view).starts_with("Nothing is the matter.\n"));
    }

    #[test]
    fn a_gateway_is_told_from_both_nodes() {
        let one = GatewayView {
            interface: "wan".to_owned(),
            address: "203.0.113.1".to_owned(),
            way: Way::ArpProbe,
            here: Some(false),
            why: "it does not answer".to_owned(),
            since_s: 61.7,
            round_trip_ms: None,
            there: Some(true),
        };
        let view = ReachView { node: "gw-a".to_owned(), gateways: vec![one] };
        assert_eq!(
            gateways(&view),
            "203.0.113.1 on wan (ARP probe)\n  here   does not count as reached: it does not \
             answer for 1 min 1 s\n  there  answers\n"
        );
        assert!(gateways(&ReachView::default()).contains("gateways+="));
    }

    #[test]
    fn what_is_left_stands_beside_its_limit() {
        let now = Resources {
            memory: Some(Memory { total_bytes: 100 << 20, available_bytes: 25 << 20 }),
            disks: vec![Disk {
                mounted_for: "/".to_owned(),
                total_bytes: 1 << 30,
                free_bytes: 1 << 29,
            }],
            ..Resources::default()
        };
        let limits = Limits { memory_percent: 90, disk_percent: 80, ..Limits::default() };
        let view = ResourcesView { node: "gw-a".to_owned(), at_ms: Some(1), now, limits };
        let shown = left(&view);
        assert!(shown.contains("75 % in use, 25 MiB left"), "{shown}");
        assert!(
            shown.contains("50 % in use, 512 MiB left") && shown.contains("limit 80 %"),
            "{shown}"
        );
    }
}

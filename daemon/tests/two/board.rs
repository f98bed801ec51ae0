//! The packaged dashboard for Grafana with what a pair that runs tells Prometheus: each of its
//! expressions, asked by Prometheus' own tool, shows something.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::lan::Lan;
use crate::support::{Node, Two, wait_telling};

const PROFILE: &str = crate::support::profile!(
    "board",
    "[section.definitions]\npaths = [\"/etc/ethers\"]\n\
    [[logs.source]]\nname = \"app\"\nfiles = [\"/var/log/app.log\"]\n"
);

/// With all that has a panel of its own.
const PAIR: &str = "pair_id = 7\n[heartbeat]\ninterval = 0.2\n[ha_link]\ninterface = \"ha0\"\n\
    [sync]\nlogs = true\nsnmp = true\n\
    [alerts.noc]\nkind = \"syslog\"\nserver = \"10.1.0.77\"\ntransport = \"udp\"\n\
    [[interface]]\nname = \"lan\"\nwatch = true\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

/// A machine that is none of metal has no sensor.
const SENSOR: &str = "twinwall_temperature_celsius{node=\"gw-a\",sensor=\"cpu\"} 51.5\n";

/// What the dashboard asks, for this job, without the comparison that leaves out what is well.
fn expressions() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/grafana/twinwall.json");
    let text = fs::read_to_string(file).expect("packaged");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let panels = board["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let notes = board["annotations"]["list"].as_array().into_iter().flatten();
    let asked = targets.chain(notes).filter_map(|it| it["expr"].as_str());
    let plain = |text: &str| {
        let text = text.replace("$job", "pair").replace("$__rate_interval", "1m");
        text.replace("$__interval", "1m").trim_end_matches(" > 0").to_owned()
    };
    asked.map(plain).collect()
}

/// The samples of a scrape as series that stay as they are for some minutes.
fn series(instance: &str, scraped: &str) -> Vec<Value> {
    let samples = scraped.lines().filter(|line| !line.starts_with('#'));
    let one = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let series = format!("{name}{{job=\"pair\",instance=\"{instance}\",{labels}");
        Some(json!({"series": series, "values": format!("{value}x40")}))
    };
    samples.filter_map(one).collect()
}

/// What Prometheus' tool says of expressions that show nothing; empty where all show something.
fn unanswered(node: &Node, series: &[Value], asked: &[String]) -> String {
    let claim = |expression: &String| {
        json!({
            "expr": format!("count({expression}) > bool 0"),
            "eval_time": "5m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        })
    };
    let claims: Vec<Value> = asked.iter().map(claim).collect();
    let test = json!({"interval": "15s", "input_series": series, "promql_expr_test": claims});
    let file = node.path("board.yml");
    // JSON is YAML.
    let text = json!({"evaluation_interval": "15s", "tests": [test]}).to_string();
    fs::write(&file, text).expect("written");
    let run = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    let run = run.expect("promtool; 'cargo xtask setup' brings it");
    match run.status.success() {
        true => String::new(),
        false => String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned(),
    }
}

/// A connection in the kernel of this node, so that something is replicated.
fn connect(node: &Node, port: u16) {
    let port = port.to_string();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", node.namespace(), "conntrack", "-I", "-p", "tcp"]);
    command.args(["-s", "10.1.0.77", "-d", "192.0.2.9", "--sport", &port, "--dport", "80"]);
    command.args(["--state", "ESTABLISHED", "-u", "SEEN_REPLY,ASSURED", "-t", "300"]);
    let run = command.output().expect("conntrack starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn every_panel_shows_something_of_a_pair_that_runs() {
    let mut two = Two::cabled();
    let lan = Lan::between(&two);
    lan.address("10.1.0.77/24");
    for node in [&mut two.a, &mut two.b] {
        node.with_guard(PROFILE, PAIR);
        node.write("var/log/app.log", "a line\n");
    }
    two.pair_by_files(true);
    let logs = || two.a.text("agent.log") + &two.b.text("agent.log");
    // For the panels of the last move.
    let ordered = RefCell::new(String::new());
    let moved = || {
        let ran = two.a.run(&["switchover"]);
        ordered.replace(format!("{ran:?}"));
        ran.code == Some(0)
    };
    wait_telling("a switchover", moved, || format!("{}\n{}", ordered.borrow(), logs()));
    let asked = expressions();
    assert!(asked.len() > 30, "{}", asked.len());
    let mut port = 1000;
    let shown = RefCell::new(String::new());
    let all_show = || {
        port += 1;
        connect(&two.b, port);
        let nodes = [("a", &two.a), ("b", &two.b)];
        let scrapes = nodes.map(|(instance, node)| series(instance, &node.good(&["metrics"])));
        let all = [series("a", SENSOR), scrapes.concat()].concat();
        shown.replace(unanswered(&two.a, &all, &asked));
        shown.borrow().is_empty()
    };
    let told = || format!("{}\n{}", shown.borrow(), logs());
    wait_telling("every expression shows something", all_show, told);
}

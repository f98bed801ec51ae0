//! What the package brings for Prometheus and Grafana, asked by Prometheus' own tool.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

fn promtool(arguments: &[&str], folder: &Path) -> String {
    let run = Command::new("promtool").args(arguments).current_dir(folder).output();
    let run = run.expect("promtool; 'cargo xtask setup' brings it");
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(run.status.success(), "promtool {arguments:?}: {said}");
    said
}

#[test]
fn prometheus_takes_the_rules_and_they_tell_what_they_claim() {
    let folder = packaging().join("prometheus");
    let said = promtool(&["check", "rules", "twinwall.rules.yml"], &folder);
    assert!(said.contains("rules found"), "{said}");
    promtool(&["test", "rules", "twinwall.rules.test.yml"], &folder);
}

#[test]
fn every_expression_of_the_dashboard_is_one_of_prometheus() {
    let text = std::fs::read_to_string(packaging().join("grafana/twinwall.json")).expect("there");
    let board: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = board["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let notes = board["annotations"]["list"].as_array().into_iter().flatten();
    let asked = targets.chain(notes).filter_map(|it| it["expr"].as_str());
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    let mut count = 0;
    for expression in asked {
        count += 1;
        let plain = expression.replace("$__rate_interval", "1m").replace("$__interval", "1m");
        let plain = serde_json::to_string(&plain).expect("a text");
        rules += &format!("      - {{record: \"board:{count}\", expr: {plain}}}\n");
    }
    assert!(count > 15, "{count}");
    let folder = std::env::temp_dir().join(format!("twinwall-board-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("board.yml"), rules).expect("written");
    let said = promtool(&["check", "rules", "board.yml"], &folder);
    std::fs::remove_dir_all(&folder).expect("removed");
    assert!(said.contains(&format!("{count} rules found")), "{said}");
}

/// The text of an agent that runs, as Prometheus' linter reads it.
#[test]
fn prometheus_finds_nothing_wrong_with_the_metrics_of_a_node() {
    let root = std::env::temp_dir().join(format!("twinwall-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&root).expect("made");
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twinwall"));
        command.arg("--root").arg(&root);
        command
    };
    let mut agent = command()
        .args(["agent", "--supervised"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("an agent");
    let text = (0..300).find_map(|_| {
        let asked = command().arg("metrics").output().expect("asked");
        if !asked.status.success() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        asked.status.success().then_some(asked.stdout)
    });
    agent.kill().expect("ended");
    agent.wait().expect("gone");
    let text = text.expect("it answers within half a minute");
    std::fs::write(root.join("metrics"), &text).expect("written");
    let linted = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(root.join("metrics")).expect("there"))
        .output()
        .expect("promtool");
    std::fs::remove_dir_all(&root).expect("removed");
    let said = String::from_utf8_lossy(&[linted.stdout, linted.stderr].concat()).into_owned();
    assert!(linted.status.success() && said.trim().is_empty(), "{said}");
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("\ntwinwall_paired 0\n"), "{text}");
}

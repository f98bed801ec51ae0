//! Steps against real programs: ends, limits, output, and what they do not inherit.

use std::fs;
use std::time::Instant;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn sh(script: &str) -> Step {
    Step::new(&["sh", "-c", script], LIMIT)
}

fn run(step: &Step) -> Result<Ran, StepFailure> {
    step.run(Path::new("/"), Leftovers::Killed)
}

#[test]
fn a_step_that_ends_well_gives_both_outputs() {
    let ran = run(&sh("echo out; echo err >&2")).unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert!(!ran.left_out);
}

#[test]
fn last_words_have_no_keys_in_them() {
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";
    let hex = "00112233445566778899aabbccddeeff";
    let words =
        format!("Line unrecognized: `PrivateKye={key}` psk {hex} in /etc/wireguard/wg8.conf:2");
    let failure = run(&sh(&format!("echo '{words}' >&2; exit 1"))).unwrap_err();
    assert_eq!(
        failure.lines,
        ["Line unrecognized: `PrivateKye=******` psk ****** in /etc/wireguard/wg8.conf:2"]
    );
}

#[test]
fn a_failure_says_which_step_how_and_its_last_words() {
    let failure = run(&sh("seq 100; echo 'bad thing in line 7' >&2; exit 3")).unwrap_err();
    assert_eq!(failure.how, How::Exit(3));
    assert_eq!(failure.lines, ["bad thing in line 7"]);
    let text = failure.to_string();
    assert!(text.contains("`sh -c 'seq 100;") && text.contains("ended with 3"), "{text}");
    let script = format!("set -e\n{}\nexit 4", "true # a long script\n".repeat(50));
    let text = run(&sh(&script)).unwrap_err().to_string();
    assert_eq!(text, "ended with 4 (`sh -c 'set -e…`)");
    let line = format!("exit 4 # {}", "é".repeat(100));
    let text = run(&sh(&line)).unwrap_err().to_string();
    assert!(text.chars().count() < 90 && text.ends_with("é…`)"), "{text}");
    let failure = run(&sh("seq 100; exit 1")).unwrap_err();
    assert_eq!(failure.lines.len(), QUOTED_LINES);
    assert_eq!(failure.lines.last().map(String::as_str), Some("100"));
    assert_eq!(run(&sh("kill -TERM $$")).unwrap_err().how, How::Signal(15));
    let failure = run(&Step::new(&["no-such-program"], LIMIT)).unwrap_err();
    assert!(failure.to_string().contains("there is no program 'no-such-program'"), "{failure}");
    assert!(matches!(run(&Step::new(&[], LIMIT)).unwrap_err().how, How::NotStarted(_)));
}

#[test]
fn the_limit_kills_the_whole_group() {
    let limit = Duration::from_millis(300);
    let step = Step { limit, ..sh("sleep 300 & echo $!; wait") };
    let started = Instant::now();
    let failure = run(&step).unwrap_err();
    assert_eq!(failure.how, How::Limit(limit));
    assert!(started.elapsed() < LIMIT);
    let child = &failure.lines[0];
    let gone = || match fs::read_to_string(format!("/proc/{child}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    while !gone() {
        assert!(started.elapsed() < LIMIT, "process {child} is still there");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_step_leaves_behind_holds_nobody_up() {
    let started = Instant::now();
    let ran = sh("sleep 300 & echo $!").run(Path::new("/"), Leftovers::Stay).unwrap();
    let pid = String::from_utf8(ran.stdout).unwrap();
    let pid = pid.trim();
    assert!(fs::exists(format!("/proc/{pid}")).unwrap(), "it stays");
    assert!(started.elapsed() < LIMIT);
    std::process::Command::new("kill").args(["-KILL", pid]).status().unwrap();
    let ran = run(&sh("sleep 300 & echo $!")).unwrap();
    let pid = String::from_utf8(ran.stdout).unwrap();
    let stat = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !stat().is_empty() && !stat().contains(") Z ") {
        assert!(started.elapsed() < LIMIT, "it is killed");
    }
}

#[test]
fn a_flood_of_output_is_cut_and_does_not_block() {
    let ran = run(&sh("echo begin; head -c 5000000 /dev/zero; echo end")).unwrap();
    assert!(ran.stdout.len() < MAX_OUTPUT + 100, "{}", ran.stdout.len());
    assert!(ran.stdout.starts_with(b"begin") && ran.stdout.ends_with(b"end\n"));
}

#[test]
fn a_step_inherits_neither_realtime_nor_input_nor_environment() {
    let shown = std::thread::spawn(|| {
        let parameter = libc::sched_param { sched_priority: 1 };
        // SAFETY: the kernel reads `parameter`, which outlives the call.
        let realtime = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameter) };
        assert_eq!(realtime, 0, "this test runs as root");
        // Field 41 of stat is the policy; the name in field 2 has no space here.
        run(&sh("cut -d' ' -f41 /proc/self/stat; cat; env | grep -c -e CARGO; ls /proc/self/fd"))
    });
    let failure = shown.join().unwrap();
    let text = String::from_utf8(failure.unwrap().stdout).unwrap();
    assert_eq!(text.lines().take(2).collect::<Vec<_>>(), ["0", "0"], "{text}");
    assert_eq!(text.lines().count(), 6, "descriptors 0 to 3 (ls's own) only: {text}");
}

#[test]
fn a_step_waits_for_what_it_is_for_and_knows_the_root() {
    let step = Step { when_exists: Some("no-such-program".to_owned()), ..sh("exit 1") };
    assert!(run(&step).unwrap().left_out);
    let step = Step { when_exists: Some("/no/such/file".to_owned()), ..sh("exit 1") };
    assert!(run(&step).unwrap().left_out);
    let step =
        Step { when_exists: Some("sh".to_owned()), ..Step::new(&["echo", "{root}/etc"], LIMIT) };
    assert_eq!(run(&step).unwrap().stdout, b"/etc\n");
    let ran = step.run(Path::new("/srv/a/"), Leftovers::Stay).unwrap();
    assert_eq!(ran.stdout, b"/srv/a/etc\n");
}

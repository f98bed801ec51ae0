//! This program runs again as process 1 of namespaces of its own, before libtest starts: however
//! it ends, the kernel ends what it started and takes its networks, mounts and files away.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use twinwall_lab::isolate::{LIFELINE, Side, cross};

use crate::console::support::with_consoles;
use crate::support::wait;

/// Called by the loader: crossing needs a process with one thread, which `main` is too late for.
#[used]
// SAFETY: the C library calls what stands in this section with no other thread there, and after
// the standard library's own entry, which keeps the arguments.
#[unsafe(link_section = ".init_array")]
static CROSS: extern "C" fn() = cross_over;

extern "C" fn cross_over() {
    // To name the tests nothing is needed, nor root.
    if std::env::args().any(|word| word == "--list") {
        return;
    }
    match cross() {
        Ok(Side::Inside { .. }) => {}
        Ok(Side::Done(code)) => std::process::exit(i32::from(code != ExitCode::SUCCESS)),
        Err(cause) => {
            eprintln!("{cause}");
            std::process::exit(1);
        }
    }
}

/// In the environment of a test that serves until it is killed.
const FOR_EVER: &str = "TWINWALL_TEST_FOR_EVER";

/// The network namespaces of all processes here but those that this one shares.
fn networks() -> Vec<PathBuf> {
    let network = |process: &PathBuf| fs::read_link(process.join("ns/net")).ok();
    let own = network(&PathBuf::from("/proc/self"));
    let all = fs::read_dir("/proc").expect("there").flatten().map(|entry| entry.path());
    all.filter_map(|process| network(&process)).filter(|it| Some(it) != own.as_ref()).collect()
}

#[test]
fn a_killed_test_leaves_nothing() {
    if std::env::var_os(FOR_EVER).is_some() {
        let _two = with_consoles();
        println!("it serves");
        loop {
            std::thread::park();
        }
    }
    // The same once more, in the middle of its work.
    let name = concat!(module_path!(), "::a_killed_test_leaves_nothing");
    let (_, name) = name.split_once("::").expect("the program's name before it");
    let mut test = Command::new("/proc/self/exe");
    test.args(["--exact", name, "--nocapture"]).env_remove(LIFELINE).env(FOR_EVER, "1");
    let mut outer = test.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let said = BufReader::new(outer.stdout.take().expect("a pipe")).lines();
    let serves = said.map_while(Result::ok).any(|line| line.contains("it serves"));
    assert!(serves, "{}", outer.wait().expect("it ended"));
    // An agent, a guard and a console on each of two nodes.
    assert!(networks().len() >= 6, "{:?}", networks());
    outer.kill().expect("killed");
    outer.wait().expect("it ends");
    wait("its processes are gone", || networks().is_empty());
}

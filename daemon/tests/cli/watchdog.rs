//! What the agent tells a service manager that watches it.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::support::Root;

#[test]
fn the_agent_says_again_and_again_that_it_answers() {
    let root = Root::new();
    let notices = UnixDatagram::bind(root.path("run/notify")).expect("a socket");
    notices.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let mut agent = Command::new(env!("CARGO_BIN_EXE_twinwall"))
        .arg("--root")
        .arg(root.path(""))
        .arg("agent")
        .env("NOTIFY_SOCKET", root.path("run/notify"))
        .env("WATCHDOG_USEC", "400000")
        .spawn()
        .expect("it starts");
    let mut heard = Vec::new();
    let mut text = [0; 64];
    while heard.len() < 4
        && let Ok(length) = notices.recv(&mut text)
    {
        heard.push(String::from_utf8_lossy(&text[..length]).trim().to_owned());
    }
    agent.kill().expect("killed");
    agent.wait().expect("ended");
    assert_eq!(heard, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
}

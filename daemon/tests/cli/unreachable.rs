//! Guards that are not there, hang, or talk nonsense: exit code 3, in words.

use std::os::unix::net::UnixListener;

use twinwall_core::api::Answer;

use crate::support::{Root, Socket};

const SOCKET: &str = "ROOT/run/twinwall/guard.sock";

#[test]
fn no_guard_at_all() {
    let message = format!(
        "twinwall: no guard runs here: there is no socket {SOCKET}; start it with 'systemctl start twinwall-guard' or 'twinwall run', or name the right --root\n"
    );
    for command in ["status", "explain", "events", "switchover", "reload"] {
        Root::new().run(&[command]).assert(3, "", &message);
    }
}

#[test]
fn a_guard_that_has_ended() {
    let root = Root::new();
    drop(UnixListener::bind(root.path("run/twinwall/guard.sock")).expect("a socket"));
    let message = format!(
        "twinwall: the guard has ended: nobody listens at {SOCKET}; start it with 'systemctl start twinwall-guard' or 'twinwall run'\n"
    );
    root.run(&["status"]).assert(3, "", &message);
}

#[test]
fn a_guard_that_hangs() {
    let root = Root::new();
    let _listener = UnixListener::bind(root.path("run/twinwall/guard.sock")).expect("a socket");
    let message = format!(
        "twinwall: the guard at {SOCKET} did not answer within 5 s; it may hang: look for 'twinwall-guard' in the system's log\n"
    );
    root.run(&["status"]).assert(3, "", &message);
}

#[test]
fn an_agent_that_hangs() {
    let root = Root::new();
    let _listener = UnixListener::bind(root.path("run/twinwall/agent.sock")).expect("a socket");
    let message = "twinwall: the agent does not answer at ROOT/run/twinwall/agent.sock; restart it: systemctl restart twinwall-agent\n";
    root.run(&["sync"]).assert(3, "", message);
}

#[test]
fn a_guard_that_talks_nonsense() {
    let same = "; are twinwall and twinwall-guard of the same version?\n";
    let mut long = vec![b'x'; 5 << 20];
    long.push(b'\n');
    let cases: [(Vec<u8>, &str); 4] = [
        (b"{\"answer\":\"fro".to_vec(), "half a line and then nothing"),
        (long, "a line of more than 4194304 bytes"),
        (b"hello\n".to_vec(), "what cannot be read (expected value at line 1 column 1)"),
        (
            serde_json::to_vec(&Answer::Done)
                .map(|line| [line.as_slice(), b"\n"].concat())
                .expect("an answer"),
            "only that it is done",
        ),
    ];
    for (bytes, what) in cases {
        let root = Root::new();
        let _socket = Socket::sending(&root, vec![bytes]);
        root.run(&["status"]).assert(
            3,
            "",
            &format!("twinwall: the guard at {SOCKET} answered {what}{same}"),
        );
    }
}

#[test]
fn a_guard_that_hangs_up() {
    let root = Root::new();
    let _socket = Socket::sending(&root, vec![Vec::new()]);
    let message = format!(
        "twinwall: the guard at {SOCKET} hung up without an answer; it is busy or stopping: try again\n"
    );
    root.run(&["status"]).assert(3, "", &message);
}

#[test]
fn a_root_too_long_for_a_socket() {
    let root = Root::new();
    let deep = format!("--root={}", root.path(&"d".repeat(120)).display());
    let ran = root.run(&["status", &deep]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(
        ran.err.ends_with("bytes, a socket's may have 107; use a shorter --root\n"),
        "{}",
        ran.err
    );
}

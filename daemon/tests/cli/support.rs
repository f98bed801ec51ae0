//! A root directory of a test's own, the program run on it, and the sockets of a guard and
//! of an agent that give prepared answers.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use twinwall::agent::api::conditions::ConditionsView;
use twinwall::agent::conditions::Standing;
use twinwall_core::api::{Answer, Numbered, Request, Status};
use twinwall_core::note::{Note, What};
use twinwall_core::time::Moment;

/// A directory that goes when the test ends.
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn new() -> Root {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "twinwall-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        for below in ["etc/twinwall", "run/twinwall"] {
            fs::create_dir_all(path.join(below)).expect("a temporary directory");
        }
        Root(path)
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).expect("a file of the test");
    }

    /// Runs the program on this root to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twinwall"));
        command.arg("--root").arg(&self.0).args(arguments);
        Ran::of(command.output().expect("the program starts"), &self.0)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run left; the root's path is written `ROOT`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output, root: &Path) -> Ran {
        let root = root.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&root, "ROOT");
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub(crate) fn assert(&self, code: i32, out: &str, err: &str) {
        let expected = Ran { code: Some(code), out: out.to_owned(), err: err.to_owned() };
        assert_eq!(*self, expected, "\nout: {}\nerr: {}", self.out, self.err);
    }
}

/// The socket of a guard: takes one connection after another, for each the next
/// list of answers, and hands the requests to the test.
pub(crate) struct Socket {
    requests: Receiver<Request>,
    server: JoinHandle<()>,
}

impl Socket {
    pub(crate) fn answering(root: &Root, connections: Vec<Vec<Answer>>) -> Socket {
        let lines = |answers: Vec<Answer>| -> Vec<u8> {
            let text = |answer| serde_json::to_string(&answer).expect("an answer") + "\n";
            answers.into_iter().map(text).collect::<String>().into_bytes()
        };
        Socket::sending(root, connections.into_iter().map(lines).collect())
    }

    pub(crate) fn sending(root: &Root, connections: Vec<Vec<u8>>) -> Socket {
        let listener = UnixListener::bind(root.path("run/twinwall/guard.sock")).expect("a socket");
        let (sender, requests) = channel();
        let server = std::thread::spawn(move || {
            let mut open = Vec::new();
            for answers in connections {
                let (mut stream, _) = listener.accept().expect("a client");
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).expect("a request");
                sender.send(serde_json::from_str(&line).expect("a request")).expect("a test");
                // A client may leave before it has read everything.
                let _ = stream.write_all(&answers);
                open.push(stream);
            }
        });
        Socket { requests, server }
    }

    /// The requests in the order in which they came, once all connections were made.
    pub(crate) fn requests(self) -> Vec<Request> {
        self.server.join().expect("the server ends");
        self.requests.iter().collect()
    }
}

/// An agent that says of each of the questions that come which conditions are raised.
pub(crate) fn agent_saying(root: &Root, present: &[Standing]) {
    let view = ConditionsView {
        node: "gw-a".to_owned(),
        speaks: true,
        present: present.to_vec(),
        left_out: 0,
    };
    let body = serde_json::to_string(&view).expect("an answer");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let listener = UnixListener::bind(root.path("run/twinwall/agent.sock")).expect("a socket");
    // It ends with the test's process, waiting for who asks next.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let head = BufReader::new(&stream).lines().map_while(Result::ok);
            let asked: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
            assert!(asked[0].starts_with("GET /api/v1/conditions "), "{asked:?}");
            stream.write_all(answer.as_bytes()).expect("it is read");
        }
    });
}

/// An event that happened `at` milliseconds on the guard's clock.
pub(crate) fn event(number: u64, at: u64, what: What, text: &str) -> Answer {
    let note = Note { at: Moment::from_millis(at), what };
    Answer::Event(Numbered { number, unix_ms: 1_700_000_000_000 + at, note, text: text.to_owned() })
}

/// The active node of a healthy pair; the core's own tests explain the same one.
pub(crate) fn healthy() -> Status {
    let text = include_str!("../../../core/tests/status/healthy.json");
    serde_json::from_str(text).expect("a status")
}

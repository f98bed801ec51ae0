//! The client of the guard's socket: one request, then answers line by line.
//! Every command that asks the guard goes through here. It bounds what it reads
//! and how long it waits, and turns each way to fail into words.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twinwall_core::api::{Answer, Numbered, Request, Status};
use twinwall_core::explain::refusal;

use crate::failure::Failure;
use crate::files;

/// How long the guard may take for an answer. It answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer in bytes: the status of 4,096 VIPs takes about 200 kB.
const MAX_ANSWER: usize = 4 << 20;
/// Longest path that the kernel takes for a socket (`sun_path` less its end mark).
const MAX_SOCKET_PATH: usize = 107;

/// How a guard is started: by the packaged unit, or in the foreground.
const START: &str = "start it with 'systemctl start twinwall-guard' or 'twinwall run'";

/// A connection to the guard.
pub struct Client {
    stream: BufReader<UnixStream>,
    socket: PathBuf,
    /// The line that is being read; kept over a wait that ended too early.
    line: Vec<u8>,
}

/// What came of waiting for an answer.
pub enum Waited {
    /// An answer.
    Answer(Answer),
    /// None in time.
    TooLong,
    /// The guard hung up.
    End,
}

impl Client {
    /// Connects to the guard below `root` and asks.
    pub fn ask(root: &Path, request: &Request) -> Result<Client, Failure> {
        let socket = root.join(files::SOCKET);
        let stream = connect(&socket)?;
        let mut client = Client { stream: BufReader::new(stream), socket, line: Vec::new() };
        client.say(request)?;
        Ok(client)
    }

    /// Asks something more over the same connection.
    pub fn say(&mut self, request: &Request) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(request)
            .map_err(|error| Failure::problem(format!("the request cannot be written: {error}")))?;
        line.push(b'\n');
        let stream = self.stream.get_mut();
        let sent = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(&line));
        match sent {
            // Turned away before it was asked: why stands in what is to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            sent => sent.map_err(|error| broken(&self.socket, &error)),
        }
    }

    /// Waits for the next answer until `deadline`, for ever without one.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<Waited, Failure> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Waited::TooLong);
            }
            self.stream
                .get_ref()
                .set_read_timeout(left)
                .map_err(|error| broken(&self.socket, &error))?;
            // One byte more than allowed shows that a line is too long.
            let room = (MAX_ANSWER + 1).saturating_sub(self.line.len()) as u64;
            match self.stream.by_ref().take(room).read_until(b'\n', &mut self.line) {
                // The guard sends an empty line now and then to say that it is there.
                Ok(_) if self.line == b"\n" => self.line.clear(),
                Ok(_) if self.line.last() == Some(&b'\n') => {
                    return self.take_answer().map(Waited::Answer);
                }
                Ok(_) if self.line.len() > MAX_ANSWER => {
                    return Err(self.nonsense(&format!("a line of more than {MAX_ANSWER} bytes")));
                }
                Ok(_) if self.line.is_empty() => return Ok(Waited::End),
                Ok(_) => return Err(self.nonsense("half a line and then nothing")),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(broken(&self.socket, &error)),
            }
        }
    }

    /// The next answer, which must come soon.
    pub fn answer(&mut self) -> Result<Answer, Failure> {
        match self.wait(Some(Instant::now() + PATIENCE))? {
            Waited::Answer(answer) => Ok(answer),
            Waited::TooLong => Err(Failure::unreachable(format!(
                "the guard at {} did not answer within {} s; it may hang: look for 'twinwall-guard' in the system's log",
                self.socket.display(),
                PATIENCE.as_secs()
            ))),
            Waited::End => Err(Failure::unreachable(format!(
                "the guard at {} hung up without an answer; it is busy or stopping: try again",
                self.socket.display()
            ))),
        }
    }

    /// What to say about an answer that does not fit the request.
    pub fn nonsense(&self, what: &str) -> Failure {
        Failure::unreachable(format!(
            "the guard at {} answered {what}; are twinwall and twinwall-guard of the same version?",
            self.socket.display()
        ))
    }

    /// The failure for any answer that a command did not ask for.
    pub fn unexpected(&self, answer: &Answer) -> Failure {
        match answer {
            Answer::Refused { why } => Failure::problem(format!("refused: {}", refusal(*why))),
            Answer::Error { message } => Failure::problem(message.clone()),
            Answer::Status(_) => self.nonsense("with a status"),
            Answer::Event(_) => self.nonsense("with an event"),
            Answer::Input(_) => self.nonsense("with a recording"),
            Answer::Done => self.nonsense("only that it is done"),
        }
    }

    fn take_answer(&mut self) -> Result<Answer, Failure> {
        let line = std::mem::take(&mut self.line);
        serde_json::from_slice(&line)
            .map_err(|error| self.nonsense(&format!("what cannot be read ({error})")))
    }
}

/// The status of the guard below `root`.
pub fn status(root: &Path) -> Result<Status, Failure> {
    let mut client = Client::ask(root, &Request::Status {})?;
    match client.answer()? {
        Answer::Status(status) => Ok(*status),
        other => Err(client.unexpected(&other)),
    }
}

/// The events after number `after` that the guard still has.
pub fn events(root: &Path, after: u64) -> Result<Vec<Numbered>, Failure> {
    let mut client = Client::ask(root, &Request::Events { after })?;
    let mut kept = Vec::new();
    loop {
        match client.answer()? {
            Answer::Event(event) => kept.push(event),
            Answer::Done => return Ok(kept),
            other => return Err(client.unexpected(&other)),
        }
    }
}

/// Gives an order, a fact or the like that is answered by 'done'.
pub fn order(root: &Path, request: &Request) -> Result<(), Failure> {
    let mut client = Client::ask(root, request)?;
    match client.answer()? {
        Answer::Done => Ok(()),
        other => Err(client.unexpected(&other)),
    }
}

fn connect(socket: &Path) -> Result<UnixStream, Failure> {
    let length = socket.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(Failure::unreachable(format!(
            "the path {} has {length} bytes, a socket's may have {MAX_SOCKET_PATH}; use a shorter --root",
            socket.display()
        )));
    }
    UnixStream::connect(socket).map_err(|error| not_connected(socket, &error))
}

/// Whether a guard listens below `root`.
pub fn guard_listens(root: &Path) -> bool {
    connect(&root.join(files::SOCKET)).is_ok()
}

fn not_connected(socket: &Path, error: &io::Error) -> Failure {
    let at = socket.display();
    let root = socket.to_str().and_then(|path| path.strip_suffix(files::SOCKET)).map(Path::new);
    if let Some(root) = root.filter(|root| root.join(files::PAIR).exists())
        && !crate::agent::settings::is_enabled(root)
    {
        return Failure::unreachable(
            "high availability is off, so no guard runs here; turn it on: twinwall ha enable",
        );
    }
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::unreachable(format!(
            "no guard runs here: there is no socket {at}; {START}, or name the right --root"
        )),
        io::ErrorKind::ConnectionRefused => {
            Failure::unreachable(format!("the guard has ended: nobody listens at {at}; {START}"))
        }
        io::ErrorKind::PermissionDenied => Failure::machine(format!("opening {at}"), error),
        _ => Failure::unreachable(format!(
            "{at}: {error}; look for 'twinwall-guard' in the system's log"
        )),
    }
}

fn broken(socket: &Path, error: &io::Error) -> Failure {
    Failure::unreachable(format!(
        "the connection to {} broke: {error}; try again",
        socket.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn a_missing_right_is_the_machines_fault_and_all_else_the_guards() {
        let cases = [
            (io::ErrorKind::PermissionDenied, Exit::Machine, "run this as root"),
            (io::ErrorKind::NotFound, Exit::Unreachable, "systemctl start twinwall-guard"),
            (io::ErrorKind::NotADirectory, Exit::Unreachable, "name the right --root"),
            (io::ErrorKind::ConnectionRefused, Exit::Unreachable, "the guard has ended"),
            (io::ErrorKind::OutOfMemory, Exit::Unreachable, "the system's log"),
        ];
        for (kind, exit, words) in cases {
            let failure = not_connected(Path::new("/run/x.sock"), &kind.into());
            assert!(failure.exit == exit && failure.message.contains(words), "{failure:?}");
        }
    }
}

//! The client of the agent's socket: one request, one answer, HTTP/1.1 over a Unix socket.
//! Every command that asks the agent goes through here. It bounds what it reads and how
//! long it waits, and turns each way to fail into words.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use twinwall::agent::api::error::{Code, Refusal};
use twinwall::agent::api::{ALIVE, DOCUMENT, PATIENCE, WONDER};
use twinwall::agent::jobs::{JobState, JobView};
use twinwall::failure::{Exit, Failure};
use twinwall::files;

use crate::show::print;
use crate::system;

/// Longest answer in bytes: a difference of thousands of lines.
const MAX_ANSWER: u64 = 64 << 20;

/// Longest line of a stream in bytes: one event.
const MAX_EVENT: u64 = 8 << 20;
/// A stream that says nothing for this long has ended: each says something every five seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// How long something takes at the most that is only told.
const TELLS: Duration = Duration::from_secs(1);

/// How an agent is started: by the packaged unit, or in the foreground.
const START: &str = "start it with 'systemctl start twinwall-agent' or 'twinwall run'";

/// The agent below a root.
pub(crate) struct Api {
    socket: PathBuf,
    /// What its fields are called on the command line.
    names: &'static [(&'static str, &'static str)],
}

impl Api {
    /// Of the node below `root`.
    pub(crate) fn of(root: &Path) -> Api {
        Api { socket: root.join(files::AGENT_SOCKET), names: &[] }
    }

    /// Refusals name these fields as their options are called.
    pub(crate) fn naming(self, names: &'static [(&'static str, &'static str)]) -> Api {
        Api { names, ..self }
    }

    /// Reads.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask("GET", path, &[])
    }

    /// Reads what is shown beside something else: an agent that is away or slow is not waited for.
    pub(crate) fn glance<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let mut stream =
            UnixStream::connect(&self.socket).map_err(|error| self.not_connected(&error))?;
        let mut answer = Vec::new();
        let read = stream
            .set_write_timeout(Some(TELLS))
            .and_then(|()| stream.set_read_timeout(Some(TELLS)))
            .and_then(|()| stream.write_all(head("GET", path, 0).as_bytes()))
            .and_then(|()| stream.take(MAX_ANSWER).read_to_end(&mut answer));
        read.map_err(|_| self.hangs())?;
        let answered = parted(&answer).ok_or_else(|| self.nonsense("what is no HTTP"))?;
        self.value_of(&self.unrefused(answered)?)
    }

    /// Reads something that is no JSON.
    pub(crate) fn fetch(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.good("GET", path, &[])
    }

    /// Orders.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::problem(error.to_string()))?;
        self.ask("POST", path, &body)
    }

    /// Tells something that nothing depends on: an agent that is away or slow is not waited for.
    pub(crate) fn tell(&self, path: &str, body: &impl Serialize) {
        let Ok(body) = serde_json::to_vec(body) else { return };
        let told = UnixStream::connect(&self.socket).and_then(|mut stream| {
            stream.set_write_timeout(Some(TELLS))?;
            let request = [head("POST", path, body.len()).as_bytes(), &body].concat();
            stream.write_all(&request)?;
            system::readable(&stream, TELLS)
        });
        // Whoever looks at the log finds the guard's own events too.
        let _ = told;
    }

    /// Replaces.
    pub(crate) fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::problem(error.to_string()))?;
        self.ask("PUT", path, &body)
    }

    /// Removes or ends.
    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask("DELETE", path, &[])
    }

    /// Follows a stream of values until the agent ends it; `take` gets each of them.
    pub(crate) fn stream<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut stream =
            UnixStream::connect(&self.socket).map_err(|error| self.not_connected(&error))?;
        // In HTTP/1.0 a body ends with its connection, and comes in no other parts than events.
        let head = format!("GET {path} HTTP/1.0\r\nhost: agent\r\n\r\n");
        let asked = stream
            .set_write_timeout(Some(WONDER))
            .and_then(|()| stream.write_all(head.as_bytes()))
            .and_then(|()| stream.set_read_timeout(Some(SILENCE)));
        asked.map_err(|error| self.broken(&error))?;
        let mut stream = BufReader::new(stream);
        let status = self.head_of(&mut stream)?;
        if status != 200 {
            let mut answer = Vec::new();
            let read = stream.take(MAX_ANSWER).read_to_end(&mut answer);
            read.map_err(|error| self.broken(&error))?;
            return match serde_json::from_slice::<Refusal>(&answer) {
                Ok(refusal) => Err(refused(&refusal.renamed(self.names))),
                Err(_) => Err(self.nonsense(&format!("with status {status}"))),
            };
        }
        while let Some(line) = self.line_of(&mut stream)? {
            let Some(value) = line.strip_prefix("data:") else { continue };
            let value = serde_json::from_str(value)
                .map_err(|error| self.nonsense(&format!("what cannot be read ({error})")))?;
            take(value)?;
        }
        Ok(())
    }

    /// Reads the head of an answer; its status.
    fn head_of(&self, stream: &mut impl BufRead) -> Result<u16, Failure> {
        let mut status = None;
        while let Some(line) = self.line_of(stream)? {
            if line.is_empty() {
                return status.ok_or_else(|| self.nonsense("what is no HTTP"));
            }
            if status.is_none() {
                status = line.get(9..12).and_then(|digits| digits.parse().ok());
            }
        }
        Err(Failure::unreachable(format!(
            "the agent ended before it answered; {START}, and ask again"
        )))
    }

    /// The next line of a stream, without its end; none at the end of it.
    fn line_of(&self, stream: &mut impl BufRead) -> Result<Option<String>, Failure> {
        let mut line = Vec::new();
        let read = stream.by_ref().take(MAX_EVENT).read_until(b'\n', &mut line);
        match read.map_err(|error| self.broken(&error))? {
            0 => Ok(None),
            _ if line.last() != Some(&b'\n') => Err(self.nonsense("half a line")),
            _ => {
                let text = String::from_utf8_lossy(&line);
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }

    /// Follows a long operation to its end; each step is printed as it begins.
    pub(crate) fn follow(&self, started: &JobView) -> Result<JobView, Failure> {
        self.follow_telling(started, |step| print(&format!("{step}\n")))
    }

    /// The same without a word.
    pub(crate) fn await_end(&self, started: &JobView) -> Result<JobView, Failure> {
        self.follow_telling(started, |_| Ok(()))
    }

    fn follow_telling(
        &self,
        started: &JobView,
        tell: impl Fn(&str) -> Result<(), Failure>,
    ) -> Result<JobView, Failure> {
        let mut view = started.clone();
        let mut told = 0;
        loop {
            view.steps.iter().skip(told).try_for_each(|step| tell(&step.text))?;
            told = view.steps.len();
            match view.state {
                JobState::Running => {}
                JobState::Done => return Ok(view),
                JobState::Cancelled => return Err(Failure::problem("cancelled; nothing was done")),
                JobState::Failed => {
                    let why = view.error.as_ref().map(ToString::to_string).unwrap_or_default();
                    return Err(Failure::problem(why));
                }
            }
            view = self.get(&format!("/api/v1/jobs/{}?after={told}", view.id))?;
        }
    }

    /// The same; Ctrl-C stops the operation and not only the looking at it.
    pub(crate) fn follow_or_cancel(&self, started: &JobView) -> Result<JobView, Failure> {
        let (api, id) = (Api { socket: self.socket.clone(), names: self.names }, started.id);
        system::on_interrupt(move || {
            let path = format!("/api/v1/jobs/{id}/cancel");
            let told: Result<serde_json::Value, Failure> = api.post(&path, &serde_json::json!({}));
            if let Err(failure) = told {
                eprintln!("twinwall: {}", failure.message);
            }
        })?;
        self.follow(started)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<T, Failure> {
        let answer = self.good(method, path, body)?;
        self.value_of(&answer)
    }

    fn value_of<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(answer)
            .map_err(|error| self.nonsense(&format!("what cannot be read ({error})")))
    }

    /// The answer to what was not refused.
    fn good(&self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        self.exchange(method, path, body).and_then(|answered| self.unrefused(answered))
    }

    fn unrefused(&self, (status, answer): (u16, Vec<u8>)) -> Result<Vec<u8>, Failure> {
        if status == 200 {
            return Ok(answer);
        }
        match serde_json::from_slice::<Refusal>(&answer) {
            Ok(refusal) => Err(refused(&refusal.renamed(self.names))),
            Err(_) => Err(self.nonsense(&format!("with status {status}"))),
        }
    }

    fn exchange(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        let mut stream =
            UnixStream::connect(&self.socket).map_err(|error| self.not_connected(&error))?;
        let head = head(method, path, body.len());
        let mut answer = Vec::new();
        let asked = stream
            .set_write_timeout(Some(WONDER))
            .and_then(|()| stream.write_all(&[head.as_bytes(), body].concat()));
        self.wait(&stream)?;
        // Who needs no body to say no, or yes, may have closed before it came.
        let read = stream.take(MAX_ANSWER).read_to_end(&mut answer);
        if answer.is_empty() {
            asked.map_err(|error| self.broken(&error))?;
        }
        read.map_err(|error| self.broken(&error))?;
        if answer.is_empty() {
            return Err(Failure::unreachable(format!(
                "the agent ended before it answered; {START}, and ask again"
            )));
        }
        parted(&answer).ok_or_else(|| self.nonsense("what is no HTTP"))
    }

    /// Waits for the first byte of an answer. An agent that works may take long for it; one
    /// that hangs is not waited for.
    fn wait(&self, stream: &UnixStream) -> Result<(), Failure> {
        if system::readable(stream, WONDER).map_err(|error| self.broken(&error))? {
            return stream.set_read_timeout(Some(PATIENCE)).map_err(|error| self.broken(&error));
        }
        let alive = UnixStream::connect(&self.socket).and_then(|mut probe| {
            probe.set_write_timeout(Some(ALIVE))?;
            let head =
                format!("GET {DOCUMENT} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n");
            probe.write_all(head.as_bytes())?;
            system::readable(&probe, ALIVE)
        });
        if !alive.unwrap_or(false) {
            return Err(self.hangs());
        }
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| self.broken(&error))
    }

    fn hangs(&self) -> Failure {
        Failure::unreachable(format!(
            "the agent does not answer at {}; restart it: systemctl restart twinwall-agent",
            self.socket.display()
        ))
    }

    fn not_connected(&self, error: &io::Error) -> Failure {
        let at = self.socket.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Failure::unreachable(format!(
                    "no agent runs here: there is no socket {at}; {START}, or name the right --root"
                ))
            }
            io::ErrorKind::ConnectionRefused => Failure::unreachable(format!(
                "the agent has ended: nobody listens at {at}; {START}"
            )),
            io::ErrorKind::PermissionDenied => Failure::machine(format!("opening {at}"), error),
            _ => Failure::unreachable(format!(
                "{at}: {error}; look for 'twinwall agent' in the system's log"
            )),
        }
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let at = self.socket.display();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::unreachable(format!(
                "the agent at {at} did not answer within {} s; look for 'twinwall agent' in the \
                 system's log",
                PATIENCE.as_secs()
            )),
            _ => Failure::unreachable(format!("the connection to {at} broke: {error}; try again")),
        }
    }

    fn nonsense(&self, what: &str) -> Failure {
        Failure::unreachable(format!(
            "the agent at {} answered {what}; was twinwall upgraded, and the agent not started \
             again?",
            self.socket.display()
        ))
    }
}

fn head(method: &str, path: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\ncontent-type: \
         application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Status and body of an answer that ends with the connection and is not chunked.
fn parted(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = &answer[end + 4..];
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (length == Some(body.len())).then(|| (status, body.to_vec()))
}

fn refused(refusal: &Refusal) -> Failure {
    let exit = match refusal.code {
        Code::Invalid
        | Code::NotFound
        | Code::Forbidden
        | Code::Conflict
        | Code::Unauthenticated
        | Code::TooMany
        | Code::TooLong => Exit::Problem,
        Code::Unreachable | Code::Silent => Exit::Unreachable,
        Code::Machine => Exit::Machine,
    };
    Failure { exit, message: refusal.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_parted_and_a_broken_one_is_none() {
        let good = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parted(good), Some((404, b"{}".to_vec())));
        let bad: [&[u8]; 4] = [
            b"",
            b"HTTP/1.1 200 OK\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ];
        for answer in bad {
            assert_eq!(parted(answer), None, "{}", String::from_utf8_lossy(answer));
        }
    }
}

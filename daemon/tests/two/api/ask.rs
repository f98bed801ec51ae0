//! One request on the agent's socket, and what comes back.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer takes; one that waits for a job's next step takes half a minute.
const PATIENCE: Duration = Duration::from_secs(60);
/// What of a stream is read.
const PIECE: usize = 64 << 10;
/// What of a text is shown.
const SHOWN: usize = 300;

/// A request.
pub(super) struct Ask {
    pub(super) method: String,
    path: String,
    body: Option<String>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its media type.
    pub(super) form: String,
    pub(super) body: String,
}

impl Ask {
    pub(super) fn new(method: &str, path: &str, body: Option<&str>) -> Ask {
        let (method, path) = (method.to_owned(), path.to_owned());
        Ask { method, path, body: body.map(str::to_owned) }
    }

    pub(super) fn get(path: &str) -> Ask {
        Ask::new("GET", path, None)
    }

    pub(super) fn send(&self, socket: &Path) -> io::Result<Answer> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = self.body.as_deref().unwrap_or_default();
        let form = if self.body.is_some() { "content-type: application/json\r\n" } else { "" };
        write!(
            stream,
            "{} {} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n{form}content-length: {}\r\n\r\n{body}",
            self.method,
            self.path,
            body.len()
        )?;
        let mut read = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let length = stream.read(&mut piece)?;
            read.extend_from_slice(&piece[..length]);
            let text = String::from_utf8_lossy(&read);
            let head = text.split_once("\r\n\r\n").map(|(head, _)| head);
            let streams = head.is_some_and(|head| head.contains("text/event-stream"));
            // A stream goes on for as long as somebody reads.
            if length == 0 || streams {
                return Answer::of(&text)
                    .ok_or_else(|| io::Error::other(format!("no answer: {text}")));
            }
        }
    }
}

impl Answer {
    fn of(text: &str) -> Option<Answer> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let form = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
        });
        Some(Answer { status, form: form.unwrap_or_default(), body: body.to_owned() })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

impl fmt::Display for Ask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_deref().unwrap_or_default();
        write!(out, "{} {} {}", self.method, self.path, shortened(body))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.status, self.form, shortened(&self.body))
    }
}

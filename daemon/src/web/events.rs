//! Server-sent events of the agent: one value after another, until the agent ends them.

use std::marker::PhantomData;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::agent::{Agent, Name};
use crate::agent::api::error::Refusal;

/// A stream that says nothing for this long has ended: each says something every five seconds.
const SILENCE: Duration = Duration::from_secs(15);
/// Longest event in bytes.
const MAX_EVENT: usize = 4 << 20;

/// A stream of values.
pub(super) struct Events<T> {
    body: Body,
    text: Vec<u8>,
    heard: Instant,
    values: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Events<T> {
    /// Opens the stream at this path.
    pub(super) async fn open(agent: &Agent, path: &str, name: &Name) -> Result<Events<T>, Refusal> {
        let body = agent.stream(path, name).await?;
        Ok(Events { body, text: Vec::new(), heard: Instant::now(), values: PhantomData })
    }

    /// The next value; none when the agent has ended the stream. Nothing is lost when it is not
    /// waited for to the end.
    pub(super) async fn next(&mut self) -> Result<Option<T>, Refusal> {
        loop {
            while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(value) = read(&event) {
                    return Ok(Some(value));
                }
            }
            if self.text.len() > MAX_EVENT {
                return Ok(None);
            }
            let frame = tokio::time::timeout_at(self.heard + SILENCE, self.body.frame()).await;
            let silent = |_| Refusal::unreachable("the agent has gone silent");
            let Some(Ok(frame)) = frame.map_err(silent)? else { return Ok(None) };
            self.heard = Instant::now();
            if let Ok(bytes) = frame.into_data() {
                self.text.extend_from_slice(&bytes);
            }
        }
    }
}

/// The value in an event; none in one that only says that the stream is there.
fn read<T: DeserializeOwned>(event: &[u8]) -> Option<T> {
    let data = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"))?;
    serde_json::from_slice(data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_come_whole_however_they_are_cut_and_pulses_are_passed_over() {
        let text =
            ":\n\nevent: job\ndata: 1\n\n:\n\ndata: nonsense\n\nevent: job\ndata: 2\n\ndata: 3";
        let bytes: Vec<Result<Vec<u8>, std::convert::Infallible>> =
            text.bytes().map(|byte| Ok(vec![byte])).collect();
        let body = Body::from_stream(futures_util::stream::iter(bytes));
        let (text, heard) = (Vec::new(), Instant::now());
        let mut events: Events<u32> = Events { body, text, heard, values: PhantomData };
        let mut all = Vec::new();
        while let Ok(Some(value)) = events.next().await {
            all.push(value);
        }
        assert_eq!(all, [1, 2], "what is cut off is none");
    }
}

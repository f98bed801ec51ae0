//! A line of syslog (RFC 5424) by UDP (RFC 5426), TCP with the length before it (RFC 6587) or
//! TLS (RFC 5425).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use twinwall_core::config::{Server, SyslogTransport};

use super::tls::{self, Trust};
use super::{Failure, connect};
use crate::agent::alerts::message::{Message, Word};
use crate::agent::conditions::Severity;
use crate::agent::moment::Moment;
use crate::snmp::mib::ENTERPRISE;

/// Longest line in bytes: what every receiver should take (RFC 5425, section 4.3.1).
const MAX_LINE: usize = 2048;
/// How long a refusal of a datagram, or of a connection that is closed, is waited for.
const REFUSAL: Duration = Duration::from_millis(300);

pub(super) async fn send(
    server: &Server,
    transport: SyslogTransport,
    trust: &Trust<'_>,
    facility: u8,
    message: &Message,
) -> Result<String, Failure> {
    let line = line(facility, message);
    match transport {
        SyslogTransport::Udp => datagram(server, &line).await,
        SyslogTransport::Tcp => stream(connect::tcp(server).await?, server, &line).await,
        SyslogTransport::Tls => {
            let secure = tls::begin(connect::tcp(server).await?, server, trust).await?;
            stream(secure, server, &line).await
        }
    }
}

/// Nobody answers a datagram, but a machine without a listener says so (RFC 1122, section
/// 4.1.3.1).
async fn datagram(server: &Server, line: &str) -> Result<String, Failure> {
    let at = |error: io::Error| Failure::Unreached(format!("{server}: {error}"));
    let socket = connect::udp(server).await?;
    socket.send(line.as_bytes()).await.map_err(at)?;
    let mut nothing = [0; 1];
    match tokio::time::timeout(REFUSAL, socket.recv(&mut nothing)).await {
        Ok(Err(error)) => Err(at(error)),
        Ok(Ok(_)) | Err(_) => Ok("sent; syslog over UDP is not confirmed".to_owned()),
    }
}

/// Writes and ends: a receiver that is closing shows by a reset.
async fn stream(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    server: &Server,
    line: &str,
) -> Result<String, Failure> {
    let at = |error: io::Error| Failure::Unreached(format!("{server}: {error}"));
    let framed = format!("{} {line}", line.len());
    stream.write_all(framed.as_bytes()).await.map_err(at)?;
    stream.shutdown().await.map_err(at)?;
    let mut nothing = [0; 64];
    match tokio::time::timeout(REFUSAL, stream.read(&mut nothing)).await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Err(at(error)),
        // Some receivers end TLS without a word.
        Ok(Err(_) | Ok(_)) | Err(_) => Ok("sent; taken by the connection".to_owned()),
    }
}

/// The line.
pub(super) fn line(facility: u8, message: &Message) -> String {
    let priority = u16::from(facility) * 8 + severity(message);
    let moment = Moment::of(message.at_ms).iso;
    let host = name(&message.sent_by, 255);
    let id = name(&message.condition, 32);
    let mut fields = format!(
        "[twinwall@{ENTERPRISE} kind=\"{}\" severity=\"{}\" node=\"{}\" pair=\"{}\"",
        message.kind.name(),
        message.severity.word(),
        value(&message.node),
        message.pair_id
    );
    if let Some(subject) = &message.subject {
        fields += &format!(" subject=\"{}\"", value(subject));
    }
    if message.left_out > 0 {
        fields += &format!(" leftOut=\"{}\"", message.left_out);
    }
    // The mark says that the text is UTF-8 (section 6.4).
    let text = plain(&message.text);
    let what_now = plain(&message.what_now);
    let mut line = format!(
        "<{priority}>1 {moment} {host} twinwall - {id} {fields}] \u{feff}{text} What now: {what_now}."
    );
    let fits = |end: &usize| line.is_char_boundary(*end);
    let end = (0..=MAX_LINE.min(line.len())).rev().find(fits).unwrap_or(0);
    line.truncate(end);
    line
}

/// RFC 5424, section 6.2.1.
fn severity(message: &Message) -> u16 {
    match (message.kind, message.severity) {
        (Word::Cleared, _) => 5,
        (Word::Test, _) => 6,
        (Word::Raised | Word::Happened, Severity::Critical) => 2,
        (Word::Raised | Word::Happened, Severity::Major) => 3,
        (Word::Raised | Word::Happened, Severity::Warning) => 4,
        (Word::Raised | Word::Happened, Severity::Info) => 6,
    }
}

/// A field of the head: printable ASCII without blanks, `-` where there is none.
fn name(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// A value of the structured part (section 6.3.3).
fn value(text: &str) -> String {
    let mut value = String::new();
    for c in plain(text).chars() {
        if ['"', '\\', ']'].contains(&c) {
            value.push('\\');
        }
        value.push(c);
    }
    value
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

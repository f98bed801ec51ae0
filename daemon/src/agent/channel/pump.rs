//! The reading and the writing task of one connection, over anything that carries bytes.
//! They know frames, signs of life and silence, not what messages mean.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::{Connection, End};
use super::frame::{FrameKind, HEADER, decode_header, encode_header};
use super::hello::{Greeting, HelloError, decode_greeting};
use super::queue::{Put, Take, queue};
use super::{DEAD_AFTER, KEEP_ALIVE, QUEUE_BYTES};

/// What is read in one go; a peer that announces a long frame and sends nothing gets no
/// more memory than this.
const READ_STEP: usize = 64 << 10;
/// Frames written before the buffer is flushed, at the most, by their bytes.
const WRITE_STEP: usize = 64 << 10;
/// How long the last words of a connection may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection for its user, and what keeps it alive: a future that ends with it.
pub(super) fn pump<S>(
    stream: S,
    peer: Greeting,
    stop: watch::Receiver<Option<End>>,
) -> (Connection, impl Future<Output = End> + Send)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (outgoing, to_write) = queue(QUEUE_BYTES);
    let (from_read, incoming) = queue(QUEUE_BYTES);
    let (ended, when_ended) = watch::channel(None);
    let connection = Connection::new(outgoing, incoming, when_ended, peer);
    let (reader, writer) = tokio::io::split(stream);
    let run = async move {
        let end = tokio::select! {
            end = read_all(reader, from_read, &ended) => end,
            end = write_all(writer, to_write) => end,
            end = stopped(stop) => end,
        };
        ended.send_if_modified(|why| why.replace(end.clone()).is_none());
        end
    };
    (connection, run)
}

/// Waits until the link wants this connection to end.
async fn stopped(mut stop: watch::Receiver<Option<End>>) -> End {
    match stop.wait_for(Option::is_some).await {
        Ok(end) => end.clone().unwrap_or(End::Here),
        Err(_) => End::Here,
    }
}

/// Reads until the end. Silence counts only while we read: a slow user of ours says
/// nothing about the peer.
async fn read_all(
    mut reader: impl AsyncRead + Unpin,
    users: Put,
    ended: &watch::Sender<Option<End>>,
) -> End {
    let end = loop {
        let frame = match timeout(DEAD_AFTER, read_header(&mut reader)).await {
            Ok(frame) => frame,
            Err(_) => break End::Silent,
        };
        let (kind, length) = match frame {
            Ok(frame) => frame,
            Err(end) => break end,
        };
        let content = match read_content(&mut reader, length).await {
            Ok(content) => content,
            Err(end) => break end,
        };
        match kind {
            FrameKind::Alive | FrameKind::Greeting => {}
            FrameKind::Message => {
                if users.put(content).await.is_err() {
                    break End::Here;
                }
            }
        }
    };
    // The user who reads the last message may ask at once why there is no other.
    ended.send_replace(Some(end.clone()));
    end
}

async fn read_header(reader: &mut (impl AsyncRead + Unpin)) -> Result<(FrameKind, usize), End> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).await.map_err(|error| lost(&error))?;
    decode_header(&header).map_err(End::Garbage)
}

async fn read_content(
    reader: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Vec<u8>, End> {
    let mut content = Vec::with_capacity(length.min(READ_STEP));
    while content.len() < length {
        let begun = content.len();
        content.resize(length.min(begun + READ_STEP), 0);
        match timeout(DEAD_AFTER, reader.read_exact(&mut content[begun..])).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(lost(&error)),
            Err(_) => return Err(End::Silent),
        }
    }
    Ok(content)
}

fn lost(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => End::ByPeer,
        _other => End::Network(error.to_string()),
    }
}

/// Writes what is queued, and a sign of life whenever nothing was for a while. A peer
/// that does not read stops this task, never those who send.
async fn write_all(mut writer: impl AsyncWrite + Unpin, mut messages: Take) -> End {
    let mut buffer = Vec::with_capacity(WRITE_STEP);
    loop {
        buffer.clear();
        let next = timeout(KEEP_ALIVE, messages.take()).await;
        let written = match &next {
            Ok(Some(queued)) => {
                buffer.extend(encode_header(FrameKind::Message, queued.message.len()));
                write_message(&mut writer, &mut buffer, &queued.message).await
            }
            Err(_) => writer.write_all(&encode_header(FrameKind::Alive, 0)).await,
            Ok(None) => {
                // All senders are gone; a peer that does not take the farewell is none.
                let _ = timeout(FAREWELL, writer.shutdown()).await;
                return End::Here;
            }
        };
        let flushed = match written {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = flushed {
            return lost(&error);
        }
    }
}

/// Header and message in one write where they are small: one packet.
async fn write_message(
    writer: &mut (impl AsyncWrite + Unpin),
    buffer: &mut Vec<u8>,
    message: &[u8],
) -> io::Result<()> {
    let head = message.len().min(WRITE_STEP - HEADER);
    buffer.extend(&message[..head]);
    writer.write_all(buffer).await?;
    writer.write_all(&message[head..]).await
}

/// Sends our greeting.
pub(super) async fn greet(
    stream: &mut (impl AsyncWrite + Unpin),
    greeting: &Greeting,
) -> io::Result<()> {
    let content = greeting.encode();
    let mut frame = encode_header(FrameKind::Greeting, content.len()).to_vec();
    frame.extend(content);
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Why there was no greeting.
#[derive(Debug)]
pub(super) enum NoGreeting {
    Ended(End),
    Wrong(HelloError),
}

/// Reads the other end's greeting. The caller limits the time.
pub(super) async fn greeted(stream: &mut (impl AsyncRead + Unpin)) -> Result<Greeting, NoGreeting> {
    let (kind, length) = read_header(stream).await.map_err(NoGreeting::Ended)?;
    match kind {
        FrameKind::Greeting => {}
        FrameKind::Message | FrameKind::Alive => {
            return Err(NoGreeting::Wrong(HelloError::Malformed));
        }
    }
    let content = read_content(stream, length).await.map_err(NoGreeting::Ended)?;
    decode_greeting(&content).map_err(NoGreeting::Wrong)
}

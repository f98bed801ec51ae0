//! Carries the messages of a conversation over one TCP connection on the HA link: a length
//! u32 (big-endian), then the message. Every wait has a limit, and a length is believed
//! only up to what may come next.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::exchange::{PATIENCE, Stop};

/// Sends one message.
pub(super) async fn send(to: &mut TcpStream, message: &[u8]) -> Result<(), Stop> {
    let length = u32::try_from(message.len()).map_err(|_| Stop::Malformed)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(message);
    let sent = timeout(PATIENCE, to.write_all(&bytes)).await;
    sent.map_err(|_| Stop::Silent)?.map_err(|error| lost(&error))
}

/// Receives the next message of at most `limit` bytes.
pub(super) async fn receive(from: &mut TcpStream, limit: usize) -> Result<Vec<u8>, Stop> {
    let received = timeout(PATIENCE, async {
        let mut length = [0; 4];
        from.read_exact(&mut length).await.map_err(|error| lost(&error))?;
        let length = u32::from_be_bytes(length) as usize;
        if length > limit {
            return Err(Stop::Malformed);
        }
        let mut message = vec![0; length];
        from.read_exact(&mut message).await.map_err(|error| lost(&error))?;
        Ok(message)
    });
    received.await.map_err(|_| Stop::Silent)?
}

fn lost(error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Stop::Lost("it hung up".to_owned()),
        _ => Stop::Lost(error.to_string()),
    }
}

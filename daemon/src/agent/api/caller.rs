//! Who is on the other end of the socket: the kernel says which user, and nothing that
//! a client writes changes it.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

/// The user behind a connection (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For history and audit: a user's name, or `uid N` where the system knows none.
    pub who: String,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Caller {
        let uid = stream.io().peer_cred().ok().map(|credentials| credentials.uid());
        Caller { who: uid.map_or_else(|| "unknown".to_owned(), name) }
    }
}

fn name(uid: u32) -> String {
    crate::agent::accounts::user_name(uid).unwrap_or_else(|| format!("uid {uid}"))
}

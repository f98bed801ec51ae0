//! Who is on the other end of the socket: the kernel says which user, and nothing that
//! a client writes changes it.

use std::path::Path;

use tokio::net::UnixStream;

use crate::agent::manifest::Owner;
use crate::agent::tree::{Root, user};

/// The user behind a connection (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For history and audit: a user's name, or `uid N` where the system knows none.
    pub who: String,
}

impl Caller {
    /// Who opened this connection.
    pub fn of(stream: &UnixStream) -> Caller {
        let uid = stream.peer_cred().ok().map(|credentials| credentials.uid());
        Caller { who: uid.map_or_else(|| "unknown".to_owned(), name) }
    }
}

/// Read anew for each connection: the accounts may have changed.
fn name(uid: u32) -> String {
    let root = Root::open(Path::new("/"));
    let owner = root.and_then(|root| user(&root, uid)).unwrap_or(Owner::Number(uid));
    match owner {
        Owner::Name(name) => name,
        Owner::Number(number) => format!("uid {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_goes_by_name_and_without_one_by_number() {
        assert_eq!(name(0), "root");
        assert_eq!(name(u32::MAX - 7), format!("uid {}", u32::MAX - 7));
    }
}

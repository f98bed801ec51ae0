//! Who is on the other end of the socket: the kernel says which user, and nothing that
//! a client writes changes it. Only the console, which has a system user of its own, is
//! believed when it names the person for whom it asks.

use std::path::Path;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use tokio::net::UnixStream;

use super::error::Refusal;
use crate::agent::accounts::Role;
use crate::agent::audit::Who;
use crate::agent::manifest::Owner;
use crate::agent::tree::{Root, user, user_number};

/// The console's system user and its group.
pub const CONSOLE_USER: &str = "twinwall-web";
/// Header in which the console names the person who is signed in.
pub const USER_HEADER: &str = "twinwall-user";
/// Header in which it names the address from which that person comes.
pub const FROM_HEADER: &str = "twinwall-from";
/// Header in which it names the role of that person.
pub const ROLE_HEADER: &str = "twinwall-role";
/// Longest of these in bytes.
const MAX_HEADER: usize = 64;

/// The user behind a connection (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    who: String,
    /// Whether it is the console's.
    is_console: bool,
}

/// Who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For history and audit: a user's name, or `uid N` where the system knows none. Of the
    /// console the person and the address: `anna from 192.0.2.7`.
    pub who: String,
    /// The same, user and address apart.
    user: String,
    from: Option<String>,
    /// Whether it came through the console.
    pub through_console: bool,
    /// What may be asked for: through the console what that person may, everything else
    /// everywhere.
    pub role: Role,
    /// Whether it is the console's own process, which names nobody.
    is_console: bool,
}

impl Connection {
    /// Who opened it.
    pub fn of(stream: &UnixStream) -> Connection {
        let uid = stream.peer_cred().ok().map(|credentials| credentials.uid());
        Connection {
            who: uid.map_or_else(|| "unknown".to_owned(), name),
            is_console: uid.is_some_and(|uid| is_console(uid, console_number())),
        }
    }
}

impl Connection {
    /// Whether a user of this name opened it.
    pub(super) fn is_of(&self, user: &str) -> bool {
        self.who == user
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Caller, Refusal> {
        let connection = ConnectInfo::<Connection>::from_request_parts(parts, state).await;
        let ConnectInfo(connection) =
            connection.map_err(|error| Refusal::machine(error.body_text()))?;
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let caller = Caller::of(connection, header(USER_HEADER), header(FROM_HEADER));
        Ok(Caller { role: caller.role_by(header(ROLE_HEADER)), ..caller })
    }
}

impl Caller {
    fn of(connection: Connection, user: Option<&str>, from: Option<&str>) -> Caller {
        let plain = |text: &&str| !text.is_empty() && text.len() <= MAX_HEADER;
        match (user.filter(plain), from.filter(plain)) {
            (Some(user), Some(from)) if connection.is_console => Caller {
                who: format!("{user} from {from}"),
                user: user.to_owned(),
                from: Some(from.to_owned()),
                through_console: true,
                role: Role::Viewer,
                is_console: false,
            },
            (user, from) => Caller {
                user: connection.who.clone(),
                who: connection.who,
                from: None,
                through_console: false,
                role: Role::Administrator,
                is_console: connection.is_console && user.is_none() && from.is_none(),
            },
        }
    }

    /// The role that the console names; the least one where it names none.
    fn role_by(&self, named: Option<&str>) -> Role {
        let roles = [Role::Viewer, Role::Operator, Role::Administrator];
        let named = roles.into_iter().find(|role| Some(role.word()) == named);
        if self.through_console { named.unwrap_or(self.role) } else { self.role }
    }

    /// For what depends on the thing that is asked for, not on its route.
    ///
    /// # Errors
    /// When the person behind the console may not.
    pub fn must_be(&self, least: Role) -> Result<(), Refusal> {
        if self.role >= least {
            return Ok(());
        }
        Err(Refusal::forbidden(format!("this needs the role {}", least.word())))
    }

    /// For the audit log.
    pub fn person(&self) -> Who {
        let from = self.from.clone().unwrap_or_else(|| "this node".to_owned());
        Who { user: self.user.clone(), from }
    }

    /// For what the console tells of itself, and nobody through it.
    ///
    /// # Errors
    /// When it is anybody else.
    pub fn must_be_the_console(&self) -> Result<(), Refusal> {
        if self.is_console {
            return Ok(());
        }
        Err(Refusal::forbidden("only the console itself tells this"))
    }

    /// For what only an administrator of the machine itself may do.
    ///
    /// # Errors
    /// When it came through the console.
    pub fn must_be_local(&self) -> Result<(), Refusal> {
        if self.through_console || self.who == CONSOLE_USER {
            return Err(Refusal::forbidden("only on the node itself, by the twinwall command"));
        }
        Ok(())
    }
}

/// Where the system has no such user, the console runs as the agent itself does.
fn is_console(uid: u32, console: Option<u32>) -> bool {
    uid == console.unwrap_or_else(|| rustix::process::geteuid().as_raw())
}

/// The number of the console's user, where this machine has one.
pub(crate) fn console_number() -> Option<u32> {
    let root = Root::open(Path::new("/")).ok()?;
    user_number(&root, CONSOLE_USER).ok()?
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

    #[test]
    fn only_the_console_is_believed_when_it_names_a_person() {
        let connection = |is_console| Connection { who: "somebody".to_owned(), is_console };
        let who = |console, user, from| Caller::of(connection(console), user, from);
        let anna = who(true, Some("anna"), Some("192.0.2.7"));
        assert_eq!((anna.who.as_str(), anna.through_console), ("anna from 192.0.2.7", true));
        assert!(anna.must_be_local().is_err() && anna.must_be_the_console().is_err());
        assert_eq!(anna.person().from, "192.0.2.7");
        assert!(who(true, None, None).must_be_the_console().is_ok());
        for caller in [
            who(false, Some("anna"), Some("192.0.2.7")),
            who(true, None, Some("192.0.2.7")),
            who(true, Some("anna"), None),
            who(true, Some(&"x".repeat(MAX_HEADER + 1)), Some("192.0.2.7")),
        ] {
            assert_eq!((caller.who.as_str(), caller.through_console), ("somebody", false));
            assert!(caller.must_be_local().is_ok() && caller.must_be_the_console().is_err());
        }
        assert_eq!(anna.role_by(Some("operator")), Role::Operator);
        assert_eq!((anna.role_by(None), anna.role_by(Some("root"))), (Role::Viewer, Role::Viewer));
        assert!(anna.must_be(Role::Operator).is_err());
        let root = Caller::of(connection(false), Some("anna"), None);
        assert_eq!(root.role_by(Some("viewer")), Role::Administrator);
        assert!(root.must_be(Role::Administrator).is_ok());
        assert!(is_console(33, Some(33)) && !is_console(0, Some(33)));
        assert!(is_console(rustix::process::geteuid().as_raw(), None));
    }
}

//! Sends one message to one target, by the way that it names. Each try is bounded in time; what
//! went wrong is told in words that hold no secret. Called by the target's task, and by whoever
//! tries a target.

mod connect;
mod discreet;
mod mail;
mod mail_text;
mod smtp;
mod syslog;
#[cfg(test)]
mod tests;
mod tls;
mod webhook;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use twinwall_core::config::{AlertChannel, AlertTarget};

use super::message::Message;
use super::secret::{self, Secret};

/// How long a try may take as a whole: name, connection, TLS, conversation.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a message was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The other end cannot be reached, or says 'later'.
    Unreached(String),
    /// The other end does not take this message as it is.
    Refused(String),
}

impl Failure {
    /// In words.
    pub(super) fn words(&self) -> &str {
        match self {
            Failure::Unreached(why) | Failure::Refused(why) => why,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}

/// Tells a target of the node below `root` this message. Gives what the other end said.
///
/// # Errors
/// Why not.
pub(super) async fn send(
    root: &Path,
    target: &AlertTarget,
    message: &Message,
) -> Result<String, Failure> {
    let secret = read_secret(root, &target.name).await?;
    let secret = secret.as_ref().map(|it| it.as_str());
    let discreet = discreet::Discreet::of(secret);
    let sent = async {
        let tls = tls::Trust { root, ca_file: target.ca_file.as_deref(), discreet };
        match &target.channel {
            AlertChannel::Webhook { url } => webhook::post(url, &tls, secret, message).await,
            AlertChannel::Email { server, transport, user, from, to } => {
                let account = account(user.as_deref(), secret)?;
                let letter = mail::Letter { from, to, message };
                mail::send(server, *transport, &tls, account, &letter).await
            }
            AlertChannel::Syslog { server, transport, facility } => {
                syslog::send(server, *transport, &tls, *facility, message).await
            }
        }
    };
    tokio::time::timeout(PATIENCE, sent).await.unwrap_or_else(|_| {
        let time = PATIENCE.as_secs();
        Err(Failure::Unreached(format!("no answer within {time} s")))
    })
}

async fn read_secret(root: &Path, name: &str) -> Result<Option<Secret>, Failure> {
    let (root, name) = (root.to_owned(), name.to_owned());
    let read = tokio::task::spawn_blocking(move || secret::read(&root, &name)).await;
    let read = read.unwrap_or_else(|error| Err(error.to_string()));
    read.map_err(|why| Failure::Unreached(format!("its secret cannot be read: {why}")))
}

fn account<'a>(
    user: Option<&'a str>,
    secret: Option<&'a str>,
) -> Result<Option<smtp::Account<'a>>, Failure> {
    match (user, secret) {
        (None, _) => Ok(None),
        (Some(user), Some(password)) => Ok(Some(smtp::Account { user, password })),
        (Some(user), None) => Err(Failure::Unreached(format!(
            "no password for {user} on this node; set it with 'twinwall alerts secret'"
        ))),
    }
}

//! A message by mail: the connection, its protection, and the conversation on it.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use twinwall_core::config::{MailTransport, Server};

use super::smtp::{Account, Smtp};
use super::tls::{self, Trust};
use super::{Failure, connect, mail_text};
use crate::agent::alerts::message::Message;

/// What goes to whom.
pub(super) struct Letter<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    pub(super) message: &'a Message,
}

pub(super) async fn send(
    server: &Server,
    transport: MailTransport,
    trust: &Trust<'_>,
    account: Option<Account<'_>>,
    letter: &Letter<'_>,
) -> Result<String, Failure> {
    let discreet = trust.discreet;
    let stream = connect::tcp(server).await?;
    let own = own_name(&stream)?;
    match transport {
        MailTransport::Tcp => {
            if account.is_some() {
                let text = "a password is only sent in TLS; write transport = \"starttls\" or \"tls\", or leave user out";
                return Err(Failure::Unreached(text.to_owned()));
            }
            let mut smtp = Smtp::on(stream, discreet);
            smtp.greeting().await?;
            converse(smtp, &own, None, letter).await
        }
        MailTransport::Tls => {
            let mut smtp = Smtp::on(tls::begin(stream, server, trust).await?, discreet);
            smtp.greeting().await?;
            converse(smtp, &own, account, letter).await
        }
        MailTransport::Starttls => {
            let mut smtp = Smtp::on(stream, discreet);
            smtp.greeting().await?;
            smtp.hello(&own).await?;
            let stream = smtp.start_tls().await?;
            let smtp = Smtp::on(tls::begin(stream, server, trust).await?, discreet);
            converse(smtp, &own, account, letter).await
        }
    }
}

async fn converse(
    mut smtp: Smtp<'_, impl AsyncRead + AsyncWrite + Unpin>,
    own: &str,
    account: Option<Account<'_>>,
    letter: &Letter<'_>,
) -> Result<String, Failure> {
    smtp.hello(own).await?;
    if let Some(account) = account {
        smtp.sign_in(account).await?;
    }
    let text = mail_text::text(letter);
    let said = smtp.letter(letter.from, letter.to, &text).await?;
    smtp.quit().await;
    Ok(said)
}

/// Who this is, for the server: its own address, since a gateway's name is not in the DNS as a
/// rule (RFC 5321, section 4.1.3).
fn own_name(stream: &TcpStream) -> Result<String, Failure> {
    let own = stream.local_addr().map_err(|error| Failure::Unreached(error.to_string()))?;
    Ok(match own.ip().to_canonical() {
        std::net::IpAddr::V4(four) => format!("[{four}]"),
        std::net::IpAddr::V6(six) => format!("[IPv6:{six}]"),
    })
}

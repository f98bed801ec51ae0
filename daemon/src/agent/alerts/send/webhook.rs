//! A webhook: the message as JSON by HTTP POST, signed where the target has a secret.
//!
//! `twinwall-signature: t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 (RFC 2104) of
//! `SECONDS.BODY` under the secret, and SECONDS the moment of sending since 1970: who checks it
//! refuses what is old, and with it repeats by others.

use axum::body::Bytes;
use axum::http::{Request, StatusCode, header};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use twinwall_core::config::Url;

use super::discreet::Discreet;
use super::tls::{self, Trust};
use super::{Failure, connect};
use crate::agent::alerts::message::Message;
use crate::agent::clock::unix_ms;
use crate::agent::settings::targets::SECRET;

pub(super) async fn post(
    url: &Url,
    trust: &Trust<'_>,
    secret: Option<&str>,
    message: &Message,
) -> Result<String, Failure> {
    let request = request(url, secret, message)?;
    let stream = connect::tcp(&url.server).await?;
    let discreet = trust.discreet;
    match url.secure {
        true => {
            let stream = tls::begin(stream, &url.server, trust).await?;
            exchange(stream, request, url, discreet).await
        }
        false => exchange(stream, request, url, discreet).await,
    }
}

/// The request as it is sent.
pub(super) fn request(
    url: &Url,
    secret: Option<&str>,
    message: &Message,
) -> Result<Request<Full<Bytes>>, Failure> {
    let broken = |why: String| Failure::Refused(why);
    let body = serde_json::to_vec(message).map_err(|error| broken(error.to_string()))?;
    let in_path = url.path.contains(SECRET);
    let path = match (in_path, secret) {
        (false, _) => url.path.clone(),
        (true, Some(secret)) => url.path.replace(SECRET, secret),
        (true, None) => {
            let text = "its address needs the secret, and this node has none; set it with \
                        'twinwall alerts secret'";
            return Err(Failure::Unreached(text.to_owned()));
        }
    };
    let host = url.to_string();
    let host = host.split('/').nth(2).unwrap_or_default();
    let mut request = Request::post(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("twinwall/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header("twinwall-delivery", &message.id);
    if let Some(secret) = secret.filter(|_| !in_path) {
        let seconds = unix_ms() / 1000;
        request = request.header("twinwall-signature", signature(secret, seconds, &body));
    }
    // What is wrong with the address is not said: it may hold the secret.
    let wrong =
        |_| broken("the address cannot be asked; look at its path and its secret".to_owned());
    request.body(Full::new(body.into())).map_err(wrong)
}

/// The value of the header of this name.
pub(super) fn signature(secret: &str, seconds: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .expect("HMAC takes a key of any length (RFC 2104, section 3)");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let tag = mac.finalize().into_bytes();
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    url: &Url,
    discreet: Discreet<'_>,
) -> Result<String, Failure> {
    let server = &url.server;
    let at = |error: hyper::Error| {
        Failure::Unreached(format!("{server}: {}", discreet.words(&error.to_string())))
    };
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(at)?;
    let asking = async {
        let answer = sender.send_request(request).await.map_err(at)?;
        Ok::<_, Failure>(answer.status())
    };
    tokio::pin!(asking);
    // The connection is driven for as long as the answer is waited for, and ends with it.
    let answered = tokio::select! {
        answered = &mut asking => answered,
        ended = connection => match ended {
            Ok(()) => asking.await,
            Err(error) => Err(at(error)),
        },
    };
    judge(answered?)
}

/// What an answer means (RFC 9110, section 15): 2xx is yes, and these are 'later'. Only its
/// number is told, with the words that the number has: what else stands in it may repeat the
/// address, and with it the secret.
fn judge(status: StatusCode) -> Result<String, Failure> {
    let said = status.to_string();
    if status.is_success() {
        return Ok(said);
    }
    let later = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
            .contains(&status);
    if later {
        return Err(Failure::Unreached(format!("it answered {said}")));
    }
    if status.is_redirection() {
        let text = format!(
            "it answered {status}; redirects are not followed, name the address to which it leads"
        );
        return Err(Failure::Refused(text));
    }
    Err(Failure::Refused(format!("it answered {said}")))
}

//! The way to the agent: one request, one answer over its socket, in the name of a person.
//! What comes back is bounded in time by the caller, and in length here.

use std::io;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::agent::accounts::Role;
use crate::agent::api::caller::{FROM_HEADER, ROLE_HEADER, USER_HEADER};
use crate::agent::api::error::{Code, Refusal};
use crate::agent::api::{ALIVE, DOCUMENT, PATIENCE, WONDER};
use crate::files::AGENT_SOCKET;

/// Longest answer that a page reads, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// The agent below a root.
#[derive(Clone)]
pub(crate) struct Agent {
    socket: PathBuf,
}

/// In whose name something is asked.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The person, or what the console does by itself.
    pub(super) user: String,
    /// The address from which that person comes.
    pub(super) from: String,
    /// What may be asked for.
    pub(super) role: Role,
}

impl Name {
    /// The console itself.
    pub(super) fn console() -> Name {
        let (user, from) = ("console".to_owned(), "this node".to_owned());
        Name { user, from, role: Role::Administrator }
    }
}

impl Agent {
    pub(crate) fn below(root: &Path) -> Agent {
        Agent { socket: root.join(AGENT_SOCKET) }
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.read(Method::GET, path, Bytes::new(), &Name::console()).await
    }

    /// Reads what is not everybody's.
    pub(super) async fn get_as<T: DeserializeOwned>(
        &self,
        path: &str,
        name: &Name,
    ) -> Result<T, Refusal> {
        self.read(Method::GET, path, Bytes::new(), name).await
    }

    /// Orders.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        name: &Name,
    ) -> Result<T, Refusal> {
        self.read(Method::POST, path, json(body)?, name).await
    }

    /// Removes or ends.
    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        name: &Name,
    ) -> Result<T, Refusal> {
        self.read(Method::DELETE, path, Bytes::new(), name).await
    }

    /// Replaces.
    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        name: &Name,
    ) -> Result<T, Refusal> {
        self.read(Method::PUT, path, json(body)?, name).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        name: &Name,
    ) -> Result<T, Refusal> {
        let answer = self.ask(method, path, body, name).await?;
        if !answer.status().is_success() {
            return Err(refused(answer).await);
        }
        serde_json::from_slice(&whole(answer).await?).map_err(|error| nonsense(&error))
    }

    /// Opens a stream of events.
    pub(super) async fn stream(&self, path: &str, name: &Name) -> Result<Body, Refusal> {
        let answer = self.ask(Method::GET, path, Bytes::new(), name).await?;
        if answer.status().is_success() {
            Ok(answer.into_body())
        } else {
            Err(refused(answer).await)
        }
    }

    /// Asks, and hands the answer on as it comes.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        name: &Name,
    ) -> Result<Response<Body>, Refusal> {
        let request = request(method, path)
            .header(USER_HEADER, &name.user)
            .header(FROM_HEADER, &name.from)
            .header(ROLE_HEADER, name.role.word())
            .body(Full::new(body))
            .map_err(|error| Refusal::invalid(error.to_string()))?;
        let mut sent = std::pin::pin!(self.send(request));
        let answer = match tokio::time::timeout(WONDER, &mut sent).await {
            Ok(answer) => answer,
            // One that works may take long; one that hangs is not waited for.
            Err(_) if self.is_alive().await => {
                tokio::time::timeout(PATIENCE, sent).await.map_err(|_| silent())?
            }
            Err(_) => return Err(silent()),
        };
        Ok(answer?.map(Body::new))
    }

    /// Tells something as the console itself, for nobody.
    pub(super) async fn tell(&self, path: &str, body: &impl Serialize) -> Result<(), Refusal> {
        let body = serde_json::to_vec(body).map_err(|error| Refusal::invalid(error.to_string()))?;
        let request = request(Method::POST, path).body(Full::new(body.into()));
        let request = request.map_err(|error| Refusal::invalid(error.to_string()))?;
        let status = self.send(request).await?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(Refusal::conflict(format!("the agent did not take it: {status}")))
    }

    async fn is_alive(&self) -> bool {
        let probe = Request::builder().uri(DOCUMENT).header(header::HOST, "agent");
        let Ok(probe) = probe.body(Full::default()) else { return false };
        matches!(tokio::time::timeout(ALIVE, self.send(probe)).await, Ok(Ok(_)))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Refusal> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| away(&error))?;
        let made = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = made.map_err(|error| broken(&error))?;
        // It ends with the answer, or when nobody wants that any more.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| broken(&error))
    }
}

/// The body of an answer.
async fn whole(answer: Response<Body>) -> Result<Bytes, Refusal> {
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect();
    let body = tokio::time::timeout(PATIENCE, body).await.map_err(|_| silent())?;
    Ok(body.map_err(|error| broken(&error))?.to_bytes())
}

/// Why the agent did not do it.
async fn refused(answer: Response<Body>) -> Refusal {
    match whole(answer).await {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| nonsense(&error)),
        Err(refusal) => refusal,
    }
}

fn request(method: Method, path: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    request.header(header::HOST, "agent").header(header::CONTENT_TYPE, "application/json")
}

fn away(error: &io::Error) -> Refusal {
    let why = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => "it does not run".to_owned(),
        _ => error.to_string(),
    };
    Refusal::unreachable(format!(
        "the agent of this node cannot be reached: {why}; start it with 'systemctl start \
         twinwall-agent'"
    ))
}

fn broken(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::unreachable(format!("the agent ended before it had answered ({error}); try again"))
}

fn silent() -> Refusal {
    let text = "the agent does not answer; restart it: systemctl restart twinwall-agent";
    Refusal::new(Code::Silent, text)
}

fn nonsense(error: &serde_json::Error) -> Refusal {
    Refusal::unreachable(format!(
        "the agent answered what cannot be read ({error}); was twinwall upgraded, and the agent \
         not started again?"
    ))
}

fn json(body: &impl Serialize) -> Result<Bytes, Refusal> {
    let body = serde_json::to_vec(body).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(body.into())
}

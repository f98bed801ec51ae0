//! How the API says no: a status, a word for programs, a sentence for people, and where
//! the mistake is. The same shape for every route.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MAX_BODY;

/// Why a request changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApiRefusal")]
pub struct Refusal {
    /// What kind of no this is.
    pub code: Code,
    /// What, where, what now.
    pub message: String,
    /// Single mistakes, each at its place, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One mistake at its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Detail {
    /// The field, as `interface[1].virtual[2]`, or the file.
    pub place: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// What kind of no it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is wrong in itself.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The caller may not.
    Forbidden,
    /// Nobody knows who the caller is: through the console, without session or token.
    Unauthenticated,
    /// Too often; later.
    TooMany,
    /// Not in this state; later, or after something else.
    Conflict,
    /// Something that this needs is away: the guard, or the other node.
    Unreachable,
    /// The agent is there and says nothing.
    Silent,
    /// The request's body is too long.
    TooLong,
    /// This machine did not allow it: a file, a right, a missing program.
    Machine,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: Code, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), details: Vec::new() }
    }

    /// Not in this state.
    pub fn conflict(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Conflict, message)
    }

    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Invalid, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::NotFound, message)
    }

    /// This machine did not allow it.
    pub fn machine(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Machine, message)
    }

    /// The caller may not.
    pub fn forbidden(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Forbidden, message)
    }

    /// The request's body is longer than any that the API takes.
    pub fn too_long() -> Refusal {
        let text = format!("the request's body is too long; at most {MAX_BODY} bytes");
        Refusal::new(Code::TooLong, text)
    }

    /// Something that this needs is away.
    pub fn unreachable(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Unreachable, message)
    }
}

impl Code {
    /// Its HTTP status (RFC 9110, section 15).
    pub fn status(self) -> StatusCode {
        match self {
            Code::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Code::Conflict => StatusCode::CONFLICT,
            Code::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Silent => StatusCode::GATEWAY_TIMEOUT,
            Code::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Machine => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)?;
        self.details
            .iter()
            .try_for_each(|detail| write!(out, "\n{}: {}", detail.place, detail.message))
    }
}

impl std::error::Error for Refusal {}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.code.status(), Json(self)).into_response()
    }
}

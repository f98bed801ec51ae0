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

    /// A mistake in a request, at its field.
    pub fn at(place: &str, message: impl Into<String>) -> Refusal {
        let message = message.into();
        let details = vec![Detail { place: place.to_owned(), message: message.clone() }];
        Refusal { code: Code::Invalid, message: format!("{place}: {message}"), details }
    }

    /// With other words for its fields: those that its reader knows them by.
    #[must_use]
    pub fn renamed(mut self, names: &[(&str, &str)]) -> Refusal {
        for detail in &mut self.details {
            let name = names.iter().find(|(place, _)| *place == detail.place);
            let Some((place, name)) = name else { continue };
            if self.message == format!("{place}: {}", detail.message) {
                self.message = format!("{name}: {}", detail.message);
            }
            (*name).clone_into(&mut detail.place);
        }
        self
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
        // A single mistake may be all of the message.
        let lines = self.details.iter().map(|it| (it, format!("{}: {}", it.place, it.message)));
        let mut fresh =
            lines.filter(|(it, line)| self.message != *line && self.message != it.message);
        fresh.try_for_each(|(_, line)| write!(out, "\n{line}"))
    }
}

impl std::error::Error for Refusal {}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.code.status(), Json(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_once_and_several_each_at_its_place() {
        let detail = |place: &str| Detail { place: place.to_owned(), message: "no".to_owned() };
        let of = |message: &str, details| {
            Refusal { code: Code::Invalid, message: message.to_owned(), details }.to_string()
        };
        assert_eq!(of("node: no", vec![detail("node")]), "node: no");
        assert_eq!(of("no", vec![detail("node")]), "no");
        let named = Refusal::at("regex", "no").renamed(&[("node", "--node"), ("regex", "--grep")]);
        assert_eq!((named.to_string().as_str(), named.details.len()), ("--grep: no", 1));
        assert_eq!(of("two", vec![detail("a"), detail("b")]), "two\na: no\nb: no");
    }
}

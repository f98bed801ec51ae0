//! A report looked at in the browser. It may have come from anywhere: a web page is shown in a
//! sandbox that runs nothing and loads nothing, a table as a table of this console.

use askama::Template;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

use super::{Frame, Place, failed, origin, shown};
use crate::agent::api::error::Refusal;
use crate::agent::logs::visible::visible;
use crate::agent::reports::Form;
use crate::percent::encoded;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

/// What a page that is a report may do: look as it likes, and nothing else. Not even scripts of
/// its own run, and its origin is nobody's (CSP 3, section 6.3.1).
const SANDBOX: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Longest table that is shown, in bytes.
const MAX_TABLE: usize = 2 << 20;
/// Rows and columns of it that are shown.
const MAX_ROWS: usize = 500;
const MAX_COLUMNS: usize = 40;

#[derive(Debug, Default, Deserialize)]
pub(super) struct One {
    #[serde(default)]
    origin: String,
    #[serde(default)]
    path: String,
}

#[derive(Template)]
#[template(path = "reports/table.html")]
struct Table {
    page: Frame,
    path: String,
    file: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    more: bool,
}

pub(super) async fn view(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(one): Query<One>,
) -> Response {
    let (Some(origin), Some(form)) = (origin(&one.origin), Form::of(&one.path)) else {
        return failed(&Refusal::not_found("There is no such report."));
    };
    let query = format!("origin={}&path={}", origin.word(), encoded(&one.path));
    let file = format!("/api/v1/reports/file?{query}");
    let body = match console.agent.stream(&file, &person.name()).await {
        Ok(body) => body,
        Err(refusal) => return failed(&refusal),
    };
    match form {
        Form::Html => sandboxed(body),
        Form::Csv => {
            let Ok(bytes) = Limited::new(body, MAX_TABLE).collect().await else {
                let text = "This table is too long to be shown; save it instead.";
                return failed(&Refusal::invalid(text));
            };
            let text = String::from_utf8_lossy(&bytes.to_bytes()).into_owned();
            let (mut rows, more) = table(&text);
            let head = if rows.is_empty() { Vec::new() } else { rows.remove(0) };
            let page = Frame::inside("Report", Place::Reports, &console, &person, ends).await;
            let path = visible(&one.path).into_owned();
            shown(&Table { page, path, file, head, rows, more })
        }
        Form::Pdf => failed(&Refusal::invalid("A PDF file is not shown here; save it instead.")),
    }
}

fn sandboxed(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    let form = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, form);
    response
}

/// Rows of a CSV text (RFC 4180), by commas, or by semicolons or tabs where its first line has
/// more of these; whether there is more of it than that.
fn table(text: &str) -> (Vec<Vec<String>>, bool) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let comma = [',', ';', '\t'].into_iter().rev().max_by_key(|it| first.matches(*it).count());
    let comma = comma.unwrap_or(',');
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    let mut more = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' if quoted || field.is_empty() => quoted = !quoted,
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
                if rows.len() > MAX_ROWS {
                    more = letters.peek().is_some();
                    break;
                }
            }
            '\r' if !quoted => {}
            letter if letter == comma && !quoted => row.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    for row in &mut rows {
        more |= row.len() > MAX_COLUMNS;
        row.truncate(MAX_COLUMNS);
    }
    (rows, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_its_quotes_and_only_so_much_of_it() {
        let (rows, more) = table("\u{feff}a,b\r\n\"1,\n2\",\"say \"\"hi\"\"\"\r\nx,\r\n");
        assert_eq!(rows, [vec!["a", "b"], vec!["1,\n2", "say \"hi\""], vec!["x", ""]]);
        assert!(!more);
        let (rows, _) = table("a;b,c;d\n1;2;3");
        assert_eq!(rows, [vec!["a", "b,c", "d"], vec!["1", "2", "3"]]);
        let (rows, more) = table(&"a,b\n".repeat(2_000));
        assert_eq!((rows.len(), more), (MAX_ROWS + 1, true));
        assert_eq!(table(&",".repeat(100)).0[0].len(), MAX_COLUMNS);
        assert_eq!(table("").0, Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_report_that_is_a_page_may_run_and_load_nothing() {
        let response = sandboxed(Body::from("<script>alert(1)</script>"));
        let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
        let policy = policy.to_str().expect("text");
        assert!(policy.starts_with("sandbox; default-src 'none'"), "{policy}");
        assert!(!policy.contains("allow-") && !policy.contains("script"), "{policy}");
    }
}

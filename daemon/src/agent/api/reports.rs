//! Routes of reports: the appliances' own files, and twinwall's availability report.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Shared;
use super::error::Refusal;
use super::request::Asked;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::clock::unix_ms;
use crate::agent::history::{self, Availability, Month};
use crate::agent::reports::read::open;
use crate::agent::reports::{self, Origin, ReportsView};
use crate::percent::encoded;

/// Of which month.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The month, as `2026-11` (UTC); this one where nothing is said.
    month: Option<String>,
}

impl Which {
    fn month(&self) -> Result<Month, Refusal> {
        let this = || Ok(Month::of(unix_ms()));
        self.month.as_ref().map_or_else(this, |text| text.parse().map_err(Refusal::invalid))
    }
}

/// One report.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct One {
    /// `here` or `there`: whose it is.
    origin: Origin,
    /// Its path, as the list names it.
    path: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<ReportsView>(
            (Method::Get, "/api/v1/reports"),
            ("reports", "The reports of both appliances, the newest first"),
            get(all),
        )
        .least(Role::Viewer),
        Route::new::<String>(
            (Method::Get, "/api/v1/reports/file"),
            ("report_file", "One report as a file: PDF, HTML or CSV"),
            get(file),
        )
        .asks::<One>()
        .gives("application/octet-stream")
        .least(Role::Viewer),
        Route::new::<Availability>(
            (Method::Get, "/api/v1/availability"),
            ("availability", "How available the pair was in one month: outages, moves, drills"),
            get(availability),
        )
        .asks::<Which>()
        .least(Role::Viewer),
        Route::new::<String>(
            (Method::Get, "/api/v1/availability/page"),
            ("availability_page", "The same as one HTML file that needs nothing beside it"),
            get(page),
        )
        .asks::<Which>()
        .gives("text/html; charset=utf-8")
        .least(Role::Viewer),
        Route::new::<String>(
            (Method::Get, "/api/v1/availability/csv"),
            ("availability_csv", "The same as a CSV file"),
            get(csv),
        )
        .asks::<Which>()
        .gives("text/csv; charset=utf-8")
        .least(Role::Viewer),
    ]
}

async fn all(State(shared): State<Shared>) -> Result<Json<ReportsView>, Refusal> {
    reports::view(&shared.node).await.map(Json).map_err(Refusal::machine)
}

async fn file(State(shared): State<Shared>, Asked(one): Asked<One>) -> Result<Response, Refusal> {
    let reading = open(&shared.node, one.origin, &one.path).await;
    let reading = reading.map_err(|why| {
        Refusal::not_found(format!(
            "{why}; 'twinwall reports', or GET /api/v1/reports, lists what there is"
        ))
    })?;
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, reading.size.to_string()),
        (header::CONTENT_DISPOSITION, attachment(&reading.name)),
    ];
    let pieces = stream::unfold(reading.pieces, async |mut pieces| {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    Ok((head, Body::from_stream(pieces)).into_response())
}

/// A file to be saved, whatever is in it. Other characters than plain ones stand in the second
/// form of the name only (RFC 6266, RFC 8187).
pub(super) fn attachment(name: &str) -> String {
    let plain = |one: char| one.is_ascii_alphanumeric() || "._-".contains(one);
    let safe: String = name.chars().map(|one| if plain(one) { one } else { '_' }).collect();
    let encoded = encoded(name);
    format!("attachment; filename=\"{safe}\"; filename*=UTF-8''{encoded}")
}

async fn availability(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Json<Availability>, Refusal> {
    Ok(Json(history::of(&shared.node, which.month()?).await))
}

async fn page(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Response, Refusal> {
    let report = history::of(&shared.node, which.month()?).await;
    let html = history::page(&report, unix_ms())
        .map_err(|error| Refusal::machine(format!("making the page: {error}")))?;
    Ok(saved("text/html; charset=utf-8", &format!("availability-{}.html", report.month), html))
}

async fn csv(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Response, Refusal> {
    let report = history::of(&shared.node, which.month()?).await;
    let name = format!("availability-{}.csv", report.month);
    Ok(saved("text/csv; charset=utf-8", &name, history::csv(&report)))
}

/// A text as a file to be saved.
pub(super) fn saved(form: &str, name: &str, text: String) -> Response {
    let head =
        [(header::CONTENT_TYPE, form.to_owned()), (header::CONTENT_DISPOSITION, attachment(name))];
    (head, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_ends_neither_the_head_nor_the_quotes() {
        let head = attachment("a\"b;\r\n../ü.pdf");
        let plain = "attachment; filename=\"a_b___..__.pdf\"";
        assert_eq!(head, format!("{plain}; filename*=UTF-8''a%22b%3B%0D%0A..%2F%C3%BC.pdf"));
    }
}

//! What an order would come to on each node, and the question whether to give it. What was
//! typed travels along, so that nothing is lost on the way back.

use askama::Template;
use axum::response::{IntoResponse, Response};

use super::fields::{Fields, ON};
use super::labels::label;
use crate::agent::api::error::Refusal;
use crate::agent::ha::Preview;
use crate::agent::ha::preview::NodePreview;
use crate::web::pages::{Frame, shown, words};

/// An order beside the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Enable { by_hand: bool },
    Disable { by_hand: bool, drop_virtual: bool },
    Restore { version: u64, by_hand: bool },
}

/// What the page asks.
enum Asked {
    Settings,
    Order(Kind),
}

#[derive(Template)]
#[template(path = "availability/preview.html")]
struct Asking<'a> {
    page: Frame,
    preview: Option<&'a Preview>,
    refusal: Option<&'a Refusal>,
    asked: Asked,
    /// What is sent along.
    hidden: Vec<(String, String)>,
    by_hand: bool,
}

/// For the form.
pub(super) fn settings(page: Frame, preview: &Preview, typed: &Fields, by_hand: bool) -> Response {
    let mut hidden: Vec<(String, String)> =
        typed.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    hidden.push(("seen".to_owned(), serde_json::to_string(&preview.seen).unwrap_or_default()));
    if by_hand {
        hidden.push(("by_hand".to_owned(), ON.to_owned()));
    }
    let (preview, refusal, asked) = (Some(preview), None, Asked::Settings);
    shown(&Asking { page, preview, refusal, asked, hidden, by_hand })
}

/// For an order beside the form.
pub(super) fn order(page: Frame, preview: &Preview, kind: Kind) -> Response {
    let mut hidden = kind.hidden();
    hidden.push(("seen".to_owned(), serde_json::to_string(&preview.seen).unwrap_or_default()));
    let (preview, refusal, by_hand) = (Some(preview), None, kind.by_hand());
    shown(&Asking { page, preview, refusal, asked: Asked::Order(kind), hidden, by_hand })
}

/// For an order that cannot be given now.
pub(super) fn refused(page: Frame, refusal: &Refusal, kind: Kind) -> Response {
    let (hidden, by_hand) = (kind.hidden(), kind.by_hand());
    let asked = Asked::Order(kind);
    let asking = Asking { page, preview: None, refusal: Some(refusal), asked, hidden, by_hand };
    (refusal.code.status(), shown(&asking)).into_response()
}

impl Kind {
    fn by_hand(self) -> bool {
        match self {
            Kind::Enable { by_hand }
            | Kind::Disable { by_hand, .. }
            | Kind::Restore { by_hand, .. } => by_hand,
        }
    }

    /// What is sent along that the page has no box for.
    fn hidden(self) -> Vec<(String, String)> {
        match self {
            Kind::Restore { version, .. } => vec![("version".to_owned(), version.to_string())],
            Kind::Enable { .. } | Kind::Disable { .. } => Vec::new(),
        }
    }
}

impl Asking<'_> {
    fn title(&self) -> String {
        match self.asked {
            Asked::Settings => "Apply these changes?".to_owned(),
            Asked::Order(Kind::Enable { .. }) => "Turn high availability on?".to_owned(),
            Asked::Order(Kind::Disable { .. }) => "Turn high availability off?".to_owned(),
            Asked::Order(Kind::Restore { version, .. }) => {
                format!("Put version {version} of the settings back?")
            }
        }
    }

    fn path(&self) -> &'static str {
        match self.asked {
            Asked::Settings => super::PATH,
            Asked::Order(Kind::Enable { .. }) => "/high-availability/enable",
            Asked::Order(Kind::Disable { .. }) => "/high-availability/disable",
            Asked::Order(Kind::Restore { .. }) => "/high-availability/restore",
        }
    }

    /// What gives the order.
    fn button(&self) -> (&'static str, &'static str) {
        match self.asked {
            Asked::Settings => ("apply", "Apply now"),
            Asked::Order(Kind::Enable { .. }) => ("confirm", "Turn it on"),
            Asked::Order(Kind::Disable { .. }) => ("confirm", "Turn it off"),
            Asked::Order(Kind::Restore { .. }) => ("confirm", "Put it back"),
        }
    }

    fn is_settings(&self) -> bool {
        matches!(self.asked, Asked::Settings)
    }

    fn is_disable(&self) -> bool {
        matches!(self.asked, Asked::Order(Kind::Disable { .. }))
    }

    fn is_enable(&self) -> bool {
        matches!(self.asked, Asked::Order(Kind::Enable { .. }))
    }

    fn drops_virtual(&self) -> bool {
        matches!(self.asked, Asked::Order(Kind::Disable { drop_virtual: true, .. }))
    }

    /// Nothing is left to ask for.
    fn is_empty(&self) -> bool {
        self.preview.is_some_and(|preview| preview.nodes.is_empty())
    }

    fn label(&self, key: &str) -> String {
        label(key)
    }

    fn part(&self, node: &NodePreview) -> &'static str {
        words::designation(node.designation)
    }

    fn shown<'t>(&self, value: &'t str) -> &'t str {
        if value.is_empty() { "–" } else { value }
    }
}

//! What is around every page: its head, the way to the other pages, and what is said once after
//! an order.

use std::net::IpAddr;

use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::dashboard::Dashboard;
use crate::web::access::Person;
use crate::web::hub::Seen;
use crate::web::listen::Ends;
use crate::web::state::Console;
use crate::web::{assets, csrf};

/// A page that the head of every page leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Place {
    Dashboard,
    HighAvailability,
    Sync,
    Events,
    Alerts,
    Reports,
    Logs,
    Conditions,
    Pairing,
    Role,
    Diagnostics,
    Api,
    Access,
    Audit,
    /// One's own; the account's menu leads there.
    Account,
}

impl Place {
    /// In their order.
    pub(in crate::web) const ALL: [Place; 14] = [
        Place::Dashboard,
        Place::HighAvailability,
        Place::Sync,
        Place::Events,
        Place::Alerts,
        Place::Reports,
        Place::Logs,
        Place::Conditions,
        Place::Pairing,
        Place::Role,
        Place::Diagnostics,
        Place::Api,
        Place::Access,
        Place::Audit,
    ];

    pub(super) fn path(self) -> &'static str {
        match self {
            Place::Dashboard => "/",
            Place::Sync => "/sync",
            Place::Events => "/events",
            Place::Alerts => "/alerts",
            Place::Reports => "/reports",
            Place::Logs => "/logs",
            Place::Conditions => "/conditions",
            Place::Pairing => "/pairing",
            Place::Role => "/role",
            Place::Diagnostics => "/diagnostics",
            Place::Api => "/api-reference",
            Place::Access => "/access",
            Place::Audit => "/audit",
            Place::Account => "/account",
            Place::HighAvailability => "/high-availability",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Place::Dashboard => "Dashboard",
            Place::Sync => "Synchronisation",
            Place::Events => "Events",
            Place::Alerts => "Alerts",
            Place::Reports => "Reports",
            Place::Logs => "Logs",
            Place::Conditions => "Conditions",
            Place::Pairing => "Pairing",
            Place::Role => "Role",
            Place::Diagnostics => "Diagnostics",
            Place::Api => "API",
            Place::Access => "Access",
            Place::Audit => "Audit log",
            Place::Account => "Your account",
            Place::HighAvailability => "High availability",
        }
    }

    /// The class of its pages' body, below which their own style stands.
    pub(in crate::web) fn class(self) -> &'static str {
        match self {
            Place::Dashboard => "at-dashboard",
            Place::HighAvailability => "at-availability",
            Place::Sync => "at-sync",
            Place::Events => "at-events",
            Place::Alerts => "at-alerts",
            Place::Reports => "at-reports",
            Place::Logs => "at-logs",
            Place::Conditions => "at-conditions",
            Place::Pairing => "at-pairing",
            Place::Role => "at-role",
            Place::Diagnostics => "at-diagnostics",
            Place::Api => "at-api",
            Place::Access => "at-access",
            Place::Audit => "at-audit",
            Place::Account => "at-account",
        }
    }

    /// Who may see it.
    pub(super) fn least(self) -> Role {
        match self {
            Place::Dashboard
            | Place::HighAvailability
            | Place::Sync
            | Place::Events
            | Place::Alerts
            | Place::Reports
            | Place::Conditions
            | Place::Pairing
            | Place::Diagnostics
            | Place::Api
            | Place::Account => Role::Viewer,
            Place::Role | Place::Logs => Role::Operator,
            Place::Access | Place::Audit => Role::Administrator,
        }
    }
}

/// What a page says once: how an order went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Notice {
    good: bool,
    pub(super) text: String,
}

impl Notice {
    pub(super) fn of(went: Result<String, Refusal>) -> Notice {
        match went {
            Ok(text) => Notice { good: true, text },
            Err(refusal) => {
                let details = refusal.details.iter();
                let all = std::iter::once(refusal.message.clone())
                    .chain(details.map(|it| format!("{}: {}", it.place, it.message)));
                Notice { good: false, text: all.collect::<Vec<_>>().join(" ") }
            }
        }
    }

    pub(super) fn class(&self) -> &'static str {
        if self.good { "good" } else { "bad" }
    }

    pub(super) fn icon(&self) -> &'static str {
        if self.good { "check" } else { "fault" }
    }

    /// A refusal is called out at once.
    pub(super) fn aria(&self) -> &'static str {
        if self.good { "status" } else { "alert" }
    }
}

/// What is around every page.
pub(super) struct Frame {
    pub(super) title: &'static str,
    pub(super) css: String,
    pub(super) js: String,
    pub(super) mark: String,
    /// The node's name, where it is known.
    pub(super) node: String,
    pub(super) person: Option<Signed>,
    pub(super) csrf: String,
    /// The other node's console.
    pub(super) other: Option<Other>,
    /// Whether the page changes by itself.
    pub(super) live: bool,
    /// Where this page belongs.
    at: Option<Place>,
    pub(super) places: Vec<Place>,
    pub(super) notice: Option<Notice>,
    seen: Seen,
}

/// Who is signed in, for the page.
pub(super) struct Signed {
    pub(super) name: String,
    pub(super) role: &'static str,
}

/// The way to the other node's console.
pub(super) struct Other {
    pub(super) name: String,
    pub(super) url: String,
}

impl Frame {
    /// Of a page for somebody who is not signed in.
    pub(super) fn outside(title: &'static str, csrf: String) -> Frame {
        Frame {
            title,
            css: assets::place("console.css"),
            js: assets::place("console.js"),
            mark: assets::place("mark.svg"),
            node: String::new(),
            person: None,
            csrf,
            other: None,
            live: false,
            at: None,
            places: Vec::new(),
            notice: None,
            seen: Seen::default(),
        }
    }

    /// Of a page that belongs to this place, for this person.
    pub(super) async fn inside(
        title: &'static str,
        at: Place,
        console: &Console,
        person: &Person,
        ends: Ends,
    ) -> Frame {
        let seen = console.hub.view().await.now().await;
        let secret = person.session.as_deref().unwrap_or_default();
        let signed = Signed { name: person.name.clone(), role: person.role.word() };
        let mut frame = Frame {
            person: Some(signed),
            live: true,
            at: Some(at),
            places: Place::ALL.into_iter().filter(|it| person.role >= it.least()).collect(),
            notice: console.sessions.told(secret),
            seen,
            ..Frame::outside(title, csrf::token(secret))
        };
        if let Some(pair) = frame.pair() {
            let (node, other) = (pair.here.name.clone(), other(pair, ends));
            frame.node = node.unwrap_or_default();
            frame.other = other;
        }
        frame
    }

    /// The pair as it is, where that is known.
    pub(super) fn pair(&self) -> Option<&Dashboard> {
        match &self.seen.state {
            Some(Ok(pair)) => Some(pair),
            Some(Err(_)) | None => None,
        }
    }

    /// The class of its body; pages that lead in have one in common.
    pub(super) fn class(&self) -> &'static str {
        self.at.map_or("at-entry", Place::class)
    }

    pub(super) fn is_at(&self, place: &Place) -> bool {
        self.at.as_ref() == Some(place)
    }

    /// What the place is called that this page belongs to.
    pub(super) fn place(&self) -> &'static str {
        self.at.map_or(self.title, Place::title)
    }

    /// The HTML of a part that changes by itself.
    pub(super) fn part(&self, id: &str) -> &str {
        let part = self.seen.fragments.iter().find(|fragment| fragment.id == id);
        part.map_or("", |fragment| &fragment.html)
    }
}

/// The other node's own address on the interface over which this visitor came, else on any.
fn other(pair: &Dashboard, ends: Ends) -> Option<Other> {
    let there = pair.there.as_ref()?;
    let own = ends.own.ip();
    let comes_here = |text: &str| {
        let address = text.split('/').next().unwrap_or_default();
        address.parse::<IpAddr>().is_ok_and(|address| address == own)
    };
    let by = pair.interfaces.iter().find(|interface| {
        interface.own_here.iter().chain(&interface.virtual_ips).any(|text| comes_here(text))
    });
    let candidates = by.into_iter().chain(&pair.interfaces).flat_map(|it| &it.own_there);
    let same_family = |text: &&String| text.contains(':') == own.is_ipv6();
    let address = candidates.clone().find(same_family).or_else(|| candidates.clone().next())?;
    let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
    let name = there.name.clone().unwrap_or_else(|| "the other node".to_owned());
    Some(Other { name, url: format!("https://{host}:{}/", ends.own.port()) })
}

//! Pairing in the browser, both ends: the code on one node, typed on the other, the steps live,
//! what comes next, and the failover test at the end. Also new keys, a new unit in the place of
//! a dead one, and the end of the pair. Everybody sees how it stands; orders are the
//! administrators', the test the operators' too.

mod orders;
mod view;

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use twinwall_core::api::Status;
use twinwall_core::beat::RoleWord;

use super::{Frame, Page, Place, failed, of, shown};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::failover_test::Move;
use crate::agent::failovers::Outage;
use crate::agent::ha::ports::Ports;
use crate::agent::jobs::JobView;
use crate::agent::pairing::rotate::Step;
use crate::agent::pairing::view::PairView;
use crate::web::access::{Person, SignedIn};
use crate::web::listen::Ends;
use crate::web::state::Shared;
use view::{Choice, Operation, Outcome, choices, last_test, operation, own_way};

/// Where it is.
const PATH: &str = "/pairing";
/// A node that has said no name yet.
const OTHER: &str = "the other node";

/// The page and its orders.
pub(super) fn pages() -> Vec<Page> {
    let [viewer, operator, administrator] = [Role::Viewer, Role::Operator, Role::Administrator];
    vec![
        // The code of an invitation.
        of(viewer, PATH, get(page)).shows_a_secret(),
        of(administrator, "/pairing/invite", post(orders::invite)),
        of(administrator, "/pairing/join", post(orders::join)),
        of(administrator, "/pairing/replace", post(orders::replace)),
        of(administrator, "/pairing/rotate", post(orders::rotate)),
        of(administrator, "/pairing/unpair", post(orders::unpair)),
        of(operator, "/pairing/test", post(orders::test)),
    ]
}

#[derive(Template)]
#[template(path = "pairing.html")]
struct Pairing {
    page: Frame,
    pair: PairView,
    /// Whether this person may pair and unpair.
    may_pair: bool,
    /// Whether this person may test.
    may_test: bool,
    enabled: bool,
    /// What goes on, or what ended last.
    operation: Option<Operation>,
    tested: Option<Outcome>,
    choices: Vec<Choice>,
    typed: Typed,
    /// The console at this node's own address, for who came by one that moves.
    own_way: Option<String>,
    /// Who serves and who would take over.
    active: String,
    passive: String,
}

/// What was typed into a form that was refused.
#[derive(Default)]
struct Typed {
    code: String,
    wrong_code: Option<String>,
    wrong_interface: Option<String>,
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    show(&console, &person, ends, Typed::default()).await
}

/// The page; with the form that was refused, its status says so.
async fn show(console: &Shared, person: &Person, ends: Ends, typed: Typed) -> Response {
    let wrong = typed.wrong_code.is_some() || typed.wrong_interface.is_some();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    match draw(console, person, ends, typed).await {
        Ok(page) => (status, shown(&page)).into_response(),
        Err(refusal) => failed(&refusal),
    }
}

async fn draw(
    console: &Shared,
    person: &Person,
    ends: Ends,
    typed: Typed,
) -> Result<Pairing, Refusal> {
    let pair: PairView = console.agent.get("/api/v1/pair").await?;
    let may = |least| person.role >= least;
    let jobs: Vec<JobView> = match may(Role::Operator) {
        true => console.agent.get_as("/api/v1/jobs", &person.name()).await?,
        false => Vec::new(),
    };
    let choices = match pair.peer {
        None if may(Role::Administrator) => {
            let ports: Ports = console.agent.get("/api/v1/ha/interfaces").await?;
            choices(&ports, pair.interface.as_deref())
        }
        None | Some(_) => Vec::new(),
    };
    let page = Frame::inside("Pairing", Place::Pairing, console, person, ends).await;
    let (active, passive) = roles(console, &pair).await;
    Ok(Pairing {
        may_pair: may(Role::Administrator),
        may_test: may(Role::Operator),
        enabled: page.pair().is_some_and(|pair| pair.enabled),
        operation: operation(&jobs, &pair),
        tested: last_test(&jobs),
        choices,
        own_way: page.pair().and_then(|pair| own_way(pair, ends)),
        typed,
        active,
        passive,
        pair,
        page,
    })
}

/// Names of the node that serves and of the other one, as the guard says now: right after a move
/// what is known for all pages may still be of before.
async fn roles(console: &Shared, pair: &PairView) -> (String, String) {
    let peer = pair.peer.as_ref().and_then(|peer| peer.name.clone());
    let (here, there) = (pair.node.clone(), peer.unwrap_or_else(|| OTHER.to_owned()));
    match console.agent.get::<Status>("/api/v1/status").await {
        Ok(status) if status.snapshot.role.role != RoleWord::Active => (there, here),
        Ok(_) | Err(_) => (here, there),
    }
}

impl Pairing {
    fn is_paired(&self) -> bool {
        self.pair.peer.is_some()
    }

    /// Whether an operation goes on, so that no other can be ordered.
    fn is_busy(&self) -> bool {
        self.operation.as_ref().is_some_and(|it| it.runs)
    }

    /// Whether the other node answers, so that it cannot be replaced.
    fn is_there(&self) -> bool {
        self.pair.peer.as_ref().is_some_and(|peer| peer.connected)
    }

    fn outage(&self, moved: &Move) -> String {
        moved.outage.as_ref().map_or_else(|| "not known".to_owned(), Outage::words)
    }

    fn outage_means<'m>(&self, moved: &'m Move) -> &'m str {
        moved.outage.as_ref().map_or("the role moved; there is no report yet", |it| &it.meaning)
    }

    /// How many of the three steps are done on this node.
    fn rotation(&self, step: &Step) -> usize {
        match step {
            Step::Staged => 1,
            Step::Used => 2,
        }
    }

    fn peer(&self) -> &str {
        let name = self.pair.peer.as_ref().and_then(|peer| peer.name.as_deref());
        name.unwrap_or(OTHER)
    }

    /// At which of the three steps a pair is.
    fn step(&self) -> usize {
        match (self.is_paired(), self.enabled) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 3,
        }
    }

    fn step_class(&self, step: usize) -> &'static str {
        let tested = self.step() == 3 && self.tested.as_ref().is_some_and(|it| it.is_good());
        match step.cmp(&self.step()) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal if tested => "done",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "next",
        }
    }
}

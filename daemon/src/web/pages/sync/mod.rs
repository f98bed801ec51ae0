//! Synchronisation (SPEC R11, R14): how the sections stand, what differs and who is newer,
//! the choice of a direction with its preview, a forced synchronisation as it goes, the
//! versions of a section and putting one back.

mod force;
mod overview;
mod section;

use axum::routing::{get, post};

use super::{Frame, Page, Place, of};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::dashboard::{Dashboard, StatusWord};
use crate::agent::engine::overview::{Overview, SectionState, SectionView};
use crate::agent::engine::standing::{Changed, Direction};
use crate::agent::section::Section;
use crate::web::access::Person;

/// The pages of the synchronisation.
pub(super) fn pages() -> Vec<Page> {
    let [viewer, operator, administrator] = [Role::Viewer, Role::Operator, Role::Administrator];
    let version = get(section::version).post(section::restore);
    vec![
        of(viewer, "/sync", get(overview::page)),
        of(viewer, "/sync/live", get(overview::live)),
        of(operator, "/sync/force", get(force::choose).post(force::order)),
        of(operator, "/sync/cancel", post(force::cancel)),
        of(viewer, "/sync/{section}", get(section::page)),
        of(operator, "/sync/{section}/versions/{version}", version).orders(administrator),
    ]
}

/// Whether a section is not the same on both nodes, so that a synchronisation would change it.
fn differs(view: &SectionView) -> bool {
    match view.state {
        SectionState::OutOfSync | SectionState::NeverSynchronised | SectionState::Failed => true,
        SectionState::InSync | SectionState::Synchronising | SectionState::Unknown => false,
    }
}

/// The other node, in a sentence.
fn other(sync: &Overview) -> &str {
    sync.peer.name.as_deref().unwrap_or("the other node")
}

/// From where to where.
fn way(sync: &Overview, direction: Direction) -> (&str, &str) {
    match direction {
        Direction::Push => (&sync.node, other(sync)),
        Direction::Pull => (other(sync), &sync.node),
    }
}

/// The word of a direction in an address.
fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Push => "push",
        Direction::Pull => "pull",
    }
}

/// Who changed a section since the nodes last agreed, so has the newer one.
fn newer(sync: &Overview, view: &SectionView) -> String {
    match view.changed {
        Some(Changed::Here) => sync.node.clone(),
        Some(Changed::There) => other(sync).to_owned(),
        Some(Changed::Both) => "changed on both".to_owned(),
        None if view.state == SectionState::NeverSynchronised => "never the same".to_owned(),
        None => String::new(),
    }
}

/// Whether this node carries the traffic; none where neither does.
fn active_here(pair: &Dashboard) -> Option<bool> {
    let is_active = |status| status == StatusWord::Active;
    if is_active(pair.here.status) {
        return Some(true);
    }
    pair.there.as_ref().is_some_and(|there| is_active(there.status)).then_some(false)
}

/// What this person may do here.
#[derive(Clone, Copy, Debug)]
struct May {
    /// See differences, force a synchronisation, end one.
    operate: bool,
    /// Put a version back.
    restore: bool,
}

impl May {
    fn of(person: &Person) -> May {
        May { operate: person.role >= Role::Operator, restore: person.role >= Role::Administrator }
    }
}

/// A section by its name in an address.
fn named(text: &str) -> Result<Section, Refusal> {
    text.parse().map_err(|_| Refusal::not_found(format!("No section is called '{text}'.")))
}

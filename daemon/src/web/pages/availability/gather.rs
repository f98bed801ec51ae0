//! What the page is made of: the settings, the interfaces of both nodes, the prerequisites and
//! the versions, asked of the agent at the same time.

use super::fields::Known;
use crate::agent::api::error::Refusal;
use crate::agent::ha::HaView;
use crate::agent::ha::ports::Ports;
use crate::agent::ha::versions::VersionChange;
use crate::agent::preflight::Preflight;
use crate::agent::settings::HaSettings;
use crate::web::state::Console;

/// Versions on a page.
const SHOWN: usize = 8;

/// See the module.
pub(super) struct Gathered {
    pub(super) view: Result<HaView, Refusal>,
    ports: Ports,
    pub(super) preflight: Option<Preflight>,
    versions: Vec<VersionChange>,
}

impl Gathered {
    /// As it is now; the versions before that number, or the newest.
    pub(super) async fn of(console: &Console, before: Option<u64>) -> Gathered {
        let agent = &console.agent;
        let before = before.map_or_else(String::new, |before| format!("&before={before}"));
        // One more, to see whether there are older ones.
        let changes = format!("/api/v1/ha/changes?last={}{before}", SHOWN + 1);
        let (view, ports, preflight, versions) = tokio::join!(
            agent.get("/api/v1/ha"),
            agent.get("/api/v1/ha/interfaces"),
            agent.get("/api/v1/preflight"),
            agent.get(&changes),
        );
        let nothing = |refusal: Refusal| Ports {
            here: String::new(),
            there: None,
            away: Some(refusal.message),
            ports: Vec::new(),
        };
        Gathered {
            view,
            ports: ports.unwrap_or_else(nothing),
            preflight: preflight.ok(),
            versions: versions.unwrap_or_default(),
        }
    }

    pub(super) fn view(&self) -> Option<&HaView> {
        self.view.as_ref().ok()
    }

    pub(super) fn known<'k>(&'k self, view: &'k HaView) -> Known<'k> {
        self.known_as(view, &view.settings)
    }

    /// The same for other settings, as they were saved before.
    pub(super) fn known_as<'k>(&'k self, view: &HaView, settings: &'k HaSettings) -> Known<'k> {
        Known { settings, ports: &self.ports, designation: view.designation }
    }

    /// Those of this page, and from where the older ones go on.
    pub(super) fn versions(&self) -> (&[VersionChange], Option<u64>) {
        let shown = &self.versions[..self.versions.len().min(SHOWN)];
        let last = shown.last().filter(|_| self.versions.len() > SHOWN);
        (shown, last.map(|last| last.version.revision.number))
    }
}

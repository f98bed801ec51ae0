//! The page with all sections, and its parts that change while somebody looks.

use std::sync::Arc;

use askama::Template;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;

use super::{Frame, May, Place, differs, newer, other};
use crate::agent::dashboard::Dashboard;
use crate::agent::engine::message::Phase;
use crate::agent::engine::overview::{LastJob, Overview, SectionState, SectionView};
use crate::web::access::{Person, SignedIn};
use crate::web::csrf;
use crate::web::hub::Seen;
use crate::web::listen::Ends;
use crate::web::pages::dashboard::Fragment;
use crate::web::pages::live;
use crate::web::pages::moment::Moment;
use crate::web::pages::shown;
use crate::web::state::Shared;

#[derive(Template)]
#[template(path = "sync/page.html")]
struct Page {
    page: Frame,
    may: May,
    now: String,
    sections: String,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let page = Frame::inside("Synchronisation", Place::Sync, &console, &person, ends).await;
    let viewer = Viewer::of(&person);
    let (now, sections) = match page.pair() {
        Some(pair) => (viewer.now(pair), viewer.sections(pair)),
        None => (String::new(), String::new()),
    };
    shown(&Page { page, may: viewer.may, now, sections })
}

/// The parts of the page, as they change.
pub(super) async fn live(State(console): State<Shared>, request: Request) -> Response {
    live::stream(console, request, |person| {
        let viewer = Viewer::of(person);
        Box::new(move |seen: &Seen| Arc::new(viewer.parts(seen)))
    })
    .await
}

/// For whom the parts are made.
struct Viewer {
    may: May,
    csrf: String,
}

impl Viewer {
    fn of(person: &Person) -> Viewer {
        let secret = person.session.as_deref().unwrap_or_default();
        Viewer { may: May::of(person), csrf: csrf::token(secret) }
    }

    fn parts(&self, seen: &Seen) -> Vec<Fragment> {
        let Some(Ok(pair)) = &seen.state else { return Vec::new() };
        vec![
            Fragment { id: "sync-now", html: self.now(pair) },
            Fragment { id: "sync-sections", html: self.sections(pair) },
        ]
    }

    fn now(&self, pair: &Dashboard) -> String {
        let now = Now { sync: pair.sync.as_ref().filter(|_| pair.paired), pair, viewer: self };
        now.render().unwrap_or_default()
    }

    fn sections(&self, pair: &Dashboard) -> String {
        let sync = pair.sync.as_ref().filter(|_| pair.paired);
        sync.map(|sync| Sections { sync }.render().unwrap_or_default()).unwrap_or_default()
    }
}

/// How it stands, and what runs.
#[derive(Template)]
#[template(path = "sync/now.html")]
struct Now<'a> {
    sync: Option<&'a Overview>,
    pair: &'a Dashboard,
    viewer: &'a Viewer,
}

impl Now<'_> {
    /// Colour, sign and headline.
    fn headline(&self, sync: &Overview) -> (&'static str, &'static str, String) {
        let count =
            |bad: fn(&SectionView) -> bool| sync.sections.iter().filter(|view| bad(view)).count();
        let different = count(differs);
        let unknown = count(|view| view.state == SectionState::Unknown);
        match (&sync.job, different, unknown) {
            (Some(job), _, _) => {
                let kind = if job.forced { "Forced synchronisation" } else { "Synchronisation" };
                ("calm", "starting", format!("{kind}: {} of {} sections", job.finished, job.of))
            }
            (None, 0, 0) => ("good", "check", "Both nodes have the same configuration".to_owned()),
            (None, 0, _) => {
                ("unknown", "off", "How the configurations stand is not known".to_owned())
            }
            (None, 1, _) => ("warn", "out-of-sync", "1 section is out of sync".to_owned()),
            (None, some, _) => ("warn", "out-of-sync", format!("{some} sections are out of sync")),
        }
    }

    /// From where to where the job that runs goes.
    fn way<'s>(&self, sync: &'s Overview, taking_here: &bool) -> (&'s str, &'s str) {
        if *taking_here { (other(sync), &sync.node) } else { (&sync.node, other(sync)) }
    }

    fn moment(&self, ms: &u64) -> Moment {
        Moment::of(*ms)
    }

    fn went_well(&self, last: &LastJob) -> bool {
        last.sections.iter().all(|result| result.failed.is_none())
    }

    /// What came of the last job.
    fn result(&self, last: &LastJob) -> String {
        let taken = last.sections.iter().filter(|result| result.failed.is_none()).count();
        let compared = if self.went_well(last) { " and compared" } else { "" };
        format!("{taken} of {} sections taken over{compared}", last.sections.len())
    }

    /// Whether anything can be forced now.
    fn offers(&self, sync: &Overview) -> bool {
        sync.job.is_none() && sync.sections.iter().any(differs)
    }

    fn blanks(&self, sync: &Overview) -> Option<String> {
        let blank = match (sync.blank, sync.peer.blank && sync.peer.connected) {
            (true, _) => sync.node.as_str(),
            (false, true) => other(sync),
            (false, false) => return None,
        };
        Some(format!("{blank} has no configuration of this pair yet, and can be no source."))
    }
}

/// The table.
#[derive(Template)]
#[template(path = "sync/sections.html")]
struct Sections<'a> {
    sync: &'a Overview,
}

impl Sections<'_> {
    fn class(&self, view: &SectionView) -> &'static str {
        match view.state {
            SectionState::InSync => "good",
            SectionState::Synchronising => "calm",
            SectionState::Unknown => "unknown",
            SectionState::OutOfSync | SectionState::NeverSynchronised => "warn",
            SectionState::Failed => "bad",
        }
    }

    fn icon(&self, view: &SectionView) -> &'static str {
        match view.state {
            SectionState::InSync => "check",
            SectionState::Synchronising | SectionState::Unknown => "starting",
            SectionState::OutOfSync | SectionState::NeverSynchronised => "out-of-sync",
            SectionState::Failed => "fault",
        }
    }

    fn newer(&self, view: &SectionView) -> String {
        newer(self.sync, view)
    }

    fn moment(&self, ms: &u64) -> Moment {
        Moment::of(*ms)
    }

    /// How far a section is, in hundredths, while it is being synchronised.
    fn percent(&self, phase: &Phase) -> u8 {
        match phase {
            Phase::Waiting => 0,
            Phase::Fetching { percent } => percent / 2,
            Phase::Staging => 55,
            Phase::Validating => 65,
            Phase::Applying => 80,
            Phase::Comparing => 90,
            Phase::Done | Phase::Failed { .. } => 100,
        }
    }
}

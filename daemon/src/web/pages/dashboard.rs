//! The dashboard (SPEC R9): the picture first, then both nodes, the heartbeat, readiness, the
//! sections and what happened last. Made of parts, each of which is sent anew when it changes.

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use twinwall_core::config::Cable;
use twinwall_core::explain::span;

use super::moment::Moment;
use super::words::serving;
use super::{Frame, Place, picture, plot, shown};
use crate::agent::api::error::Refusal;
use crate::agent::dashboard::{Dashboard, Heartbeat, NodeView, StatusWord};
use crate::agent::engine::overview::{Overview, SectionState};
use crate::agent::failovers::Summary;
use crate::agent::readiness::Readiness;
use crate::web::access::SignedIn;
use crate::web::hub::Plot;
use crate::web::listen::Ends;
use crate::web::state::Shared;

pub(in crate::web) use super::live::Fragment;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Page {
    page: Frame,
}

pub(in crate::web) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let page = Frame::inside("Dashboard", Place::Dashboard, &console, &person, ends).await;
    shown(&Page { page })
}

/// All parts. Where nobody knows how the pair is, they say so and show nothing of then.
pub(in crate::web) fn fragments(state: Result<&Dashboard, &Refusal>, plot: &Plot) -> Vec<Fragment> {
    let part = |id, html: String| Fragment { id, html };
    let pair = match state {
        Ok(pair) => pair,
        Err(refusal) => {
            let ids = [
                "whoami",
                "picture",
                "nodes",
                "pair",
                "paths",
                "flows",
                "readiness",
                "conditions",
                "sync",
                "events",
                "ha-state",
            ];
            let mut parts: Vec<Fragment> = ids.map(|id| part(id, String::new())).into();
            parts.push(part("banner", render(&Away { message: &refusal.message })));
            parts.push(part("verdict", render(&Unknown {})));
            parts.push(part("announce", "The state of the pair is not known.".to_owned()));
            return parts;
        }
    };
    vec![
        part("whoami", render(&Whoami::of(pair))),
        part("banner", render(&Banner::of(pair))),
        part("announce", announce(pair)),
        part("verdict", render(&Verdict::of(pair))),
        part("picture", picture::draw(pair)),
        part("nodes", render(&Nodes { nodes: nodes(pair) })),
        part("pair", render(&PairPart::of(pair, plot))),
        part("paths", super::paths::draw(pair, plot)),
        part("flows", super::flows::draw(pair)),
        part("readiness", render(&ReadyPart { readiness: pair.readiness.as_ref() })),
        part("conditions", super::conditions::draw(pair)),
        part("sync", render(&SyncPart { sync: pair.sync.as_ref().filter(|_| pair.paired) })),
        part("events", render(&EventsPart::of(pair))),
        part("ha-state", super::availability::state(pair)),
    ]
}

/// A part that cannot be made is empty; templates of values fail only for want of memory.
pub(super) fn render(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "part/away.html")]
struct Away<'a> {
    message: &'a str,
}
#[derive(Template)]
#[template(path = "part/unknown.html")]
struct Unknown {}

#[derive(Template)]
#[template(path = "part/whoami.html")]
struct Whoami<'a> {
    node: &'a NodeView,
    /// On a node that is not active: who is.
    active: Option<&'a str>,
}

impl Whoami<'_> {
    fn of(pair: &Dashboard) -> Whoami<'_> {
        let is_active = |node: &&NodeView| node.status == StatusWord::Active;
        let there = pair.there.as_ref().filter(is_active).filter(|_| pair.enabled);
        let there = there.filter(|_| !is_active(&&pair.here));
        let name = there.map(|node| node.name.as_deref().unwrap_or("the other node"));
        Whoami { node: &pair.here, active: name }
    }
}

/// What every page says when something must be done.
#[derive(Template)]
#[template(path = "part/banner.html")]
struct Banner<'a> {
    out_of_sync: Option<Vec<&'a str>>,
    job: Option<String>,
    urgent: Vec<String>,
}

impl Banner<'_> {
    fn of(pair: &Dashboard) -> Banner<'_> {
        let sync = pair.sync.as_ref().filter(|_| pair.paired && pair.enabled);
        let titles: Vec<&str> = sync.map(different).unwrap_or_default();
        let job = sync.and_then(|sync| sync.job.as_ref()).filter(|job| job.forced);
        let job = job.map(|job| {
            format!(
                "A forced synchronisation by {} runs: {} of {} sections.",
                job.who, job.finished, job.of
            )
        });
        let out_of_sync = (!titles.is_empty() && job.is_none()).then_some(titles);
        Banner { out_of_sync, job, urgent: super::conditions::urgent(pair) }
    }
}

/// The sections that would be another version after a move.
pub(super) fn different_titles(pair: &Dashboard) -> Vec<String> {
    let sync = pair.sync.as_ref().filter(|_| pair.paired);
    sync.map(different).unwrap_or_default().into_iter().map(str::to_owned).collect()
}

fn different(sync: &Overview) -> Vec<&str> {
    let bad = |state| {
        matches!(
            state,
            SectionState::OutOfSync | SectionState::NeverSynchronised | SectionState::Failed
        )
    };
    sync.sections.iter().filter(|it| bad(it.state)).map(|it| it.title.as_str()).collect()
}

/// For those who hear the page: only what a person would call out.
fn announce(pair: &Dashboard) -> String {
    let word = |node: &NodeView| {
        let name = node.name.as_deref().unwrap_or("The other node");
        format!("{name} is {}. ", node.status.words())
    };
    let mut text = word(&pair.here);
    text.extend(pair.there.as_ref().map(word));
    if let Some(readiness) = &pair.readiness {
        text += &readiness.verdict;
    }
    askama::filters::escape(&text, askama::filters::Html)
        .map_or_else(|_| String::new(), |it| it.to_string())
}

/// The answer to 'is everything all right?'.
#[derive(Template)]
#[template(path = "part/verdict.html")]
struct Verdict {
    class: &'static str,
    icon: &'static str,
    headline: String,
    more: String,
    /// What to do about it: a page of this console, and what stands on the way to it.
    way: Option<(&'static str, &'static str)>,
}

impl Verdict {
    fn of(pair: &Dashboard) -> Verdict {
        if !pair.paired {
            return Verdict::new(
                "unknown",
                "off",
                "This node is not paired yet",
                "Two nodes become a pair by a short code, entered in the browser.".to_owned(),
            )
            .leading_to("/pairing", "Pair this node");
        }
        if !pair.enabled {
            return Verdict::new(
                "unknown",
                "off",
                "High availability is off",
                "Each node goes on by itself.".to_owned(),
            )
            .leading_to("/high-availability", "Set it up");
        }
        let more = serving(pair);
        match &pair.readiness {
            None => Verdict::new("unknown", "starting", "Looking at the pair", more),
            Some(it) if it.ready && it.against.is_empty() => {
                Verdict::new("good", "active", "A failover would work now", more)
            }
            Some(it) if it.ready => {
                Verdict::new("warn", "out-of-sync", "A failover would work, with a remark", more)
            }
            Some(_) => Verdict::new("bad", "fault", "A failover would not work now", more),
        }
    }

    fn new(class: &'static str, icon: &'static str, headline: &str, more: String) -> Verdict {
        Verdict { class, icon, headline: headline.to_owned(), more, way: None }
    }

    fn leading_to(self, page: &'static str, words: &'static str) -> Verdict {
        Verdict { way: Some((page, words)), ..self }
    }
}

#[derive(Template)]
#[template(path = "part/nodes.html")]
struct Nodes<'a> {
    nodes: Vec<NodeCard<'a>>,
}

struct NodeCard<'a> {
    view: &'a NodeView,
    is_this: bool,
    name: &'a str,
    role: Option<&'a str>,
    since: Option<Moment>,
    away_since: Option<Moment>,
}

fn nodes(pair: &Dashboard) -> Vec<NodeCard<'_>> {
    let card = |view| {
        let view: &NodeView = view;
        let role = view.role.as_deref().filter(|role| *role != view.status.words());
        NodeCard {
            view,
            is_this: std::ptr::eq(view, &pair.here),
            name: view.name.as_deref().unwrap_or("The other node"),
            role,
            since: view.since_ms.map(Moment::of),
            away_since: view.away_since_ms.map(Moment::of),
        }
    };
    std::iter::once(&pair.here).chain(&pair.there).map(card).collect()
}

#[derive(Template)]
#[template(path = "part/pair.html")]
struct PairPart {
    enabled: bool,
    /// Connections: class, how they stand, how many there are.
    flows: Option<(&'static str, String, String)>,
    link: Option<(String, &'static str, &'static str, &'static str)>,
    heartbeat: Option<Beat>,
}

struct Beat {
    interval: String,
    threshold: u32,
    detection: String,
    round_trip: Option<String>,
    lines: Vec<String>,
    highest: String,
    loss: Option<String>,
    missed: Vec<(String, String)>,
}

impl PairPart {
    fn of(pair: &Dashboard, plot: &Plot) -> PairPart {
        let link = pair.ha_link.as_ref().map(|link| {
            let cable = match link.cable {
                Cable::Direct => "direct cable",
                Cable::Switched => "through a switch",
            };
            let (class, word) = match (link.carrier, link.heard) {
                (Some(false), _) => ("bad", "no carrier here"),
                (_, Some(true)) => ("good", "up"),
                (_, Some(false)) => ("bad", "lost: the other node is not heard on it"),
                (_, None) => ("unknown", "not used while high availability is off"),
            };
            (link.interface.clone(), cable, class, word)
        });
        let heartbeat = pair.heartbeat.as_ref().map(|beat| Beat::of(beat, plot));
        PairPart { enabled: pair.enabled, flows: super::flows::line(pair), link, heartbeat }
    }
}

impl Beat {
    fn of(beat: &Heartbeat, plot: &Plot) -> Beat {
        let span = |seconds: f64| span(std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e6)));
        let (lines, highest) = plot::round_trips(plot);
        Beat {
            interval: span(beat.interval_s),
            threshold: beat.threshold,
            detection: span(beat.detection_s),
            round_trip: beat.round_trip_ms.map(|ms| format!("{ms:.1} ms")),
            lines,
            highest: format!("{highest:.1} ms"),
            loss: plot::loss(&plot.beats).map(|loss| format!("{loss:.0} %")),
            missed: plot::missed(plot),
        }
    }

    fn width(&self) -> usize {
        plot::WIDTH
    }

    fn height(&self) -> usize {
        plot::HEIGHT
    }
}

#[derive(Template)]
#[template(path = "part/readiness.html")]
struct ReadyPart<'a> {
    readiness: Option<&'a Readiness>,
}

#[derive(Template)]
#[template(path = "part/sync.html")]
struct SyncPart<'a> {
    sync: Option<&'a Overview>,
}

impl SyncPart<'_> {
    fn class(&self, state: &SectionState) -> &'static str {
        match state {
            SectionState::InSync => "good",
            SectionState::Synchronising => "calm",
            SectionState::Unknown => "unknown",
            SectionState::OutOfSync | SectionState::NeverSynchronised => "warn",
            SectionState::Failed => "bad",
        }
    }

    fn icon(&self, state: &SectionState) -> &'static str {
        match state {
            SectionState::InSync => "check",
            SectionState::Synchronising | SectionState::Unknown => "starting",
            SectionState::OutOfSync | SectionState::NeverSynchronised => "out-of-sync",
            SectionState::Failed => "fault",
        }
    }

    fn summary(&self) -> String {
        let Some(sync) = self.sync else {
            return "The configuration is compared once this node is paired.".to_owned();
        };
        let count = |state| sync.sections.iter().filter(|it| it.state == state).count();
        if count(SectionState::Unknown) == sync.sections.len() {
            return "How the sections stand is not known at the moment.".to_owned();
        }
        match count(SectionState::InSync) {
            all if all == sync.sections.len() => {
                "All sections are the same on both nodes.".to_owned()
            }
            some => {
                format!("{some} of {} sections are the same on both nodes.", sync.sections.len())
            }
        }
    }
}

#[derive(Template)]
#[template(path = "part/events.html")]
struct EventsPart<'a> {
    last_failover: Option<(Moment, &'a Summary)>,
    last_move: Option<(Moment, &'a str)>,
    events: Vec<(Moment, &'a str)>,
}

impl EventsPart<'_> {
    fn of(pair: &Dashboard) -> EventsPart<'_> {
        let shown = |event| {
            let event: &twinwall_core::api::Numbered = event;
            (Moment::of(event.unix_ms), event.text.as_str())
        };
        let failover = pair.last_failover.as_ref();
        EventsPart {
            last_failover: failover.map(|it| (Moment::of(it.ended_ms), it)),
            last_move: pair.last_move.as_ref().map(shown),
            events: pair.events.iter().rev().map(shown).collect(),
        }
    }
}

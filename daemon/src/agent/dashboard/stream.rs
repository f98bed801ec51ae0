//! The dashboard as it changes: one value at once, then one after each change, and one a
//! second for the moments in it. Each listener looks for itself, and there are few: the
//! console listens once and shows it to all its viewers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::gather::{Asked, Events, ask, look};
use super::{Dashboard, StatusWord};
use crate::agent::api::error::Refusal;
use crate::agent::engine::overview::Overview;
use crate::agent::guard::GuardState;
use crate::agent::node::{Node, Settings};

/// Listeners at a time. Each asks guard and the other node every two seconds.
pub const MAX_LISTENERS: usize = 8;
/// Between two values that nothing but time tells apart.
const PULSE: Duration = Duration::from_secs(1);
/// Between two values at the least.
const LEAST: Duration = Duration::from_millis(50);
/// Between two questions to the other node.
const ASK: Duration = Duration::from_secs(2);

static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// A listener.
pub struct Stream {
    node: Arc<Node>,
    asked: Asked,
    asking: Option<JoinHandle<Asked>>,
    events: Events,
    guard: watch::Receiver<GuardState>,
    settings: watch::Receiver<Arc<Settings>>,
    notices: watch::Receiver<u64>,
    /// None while the agent reads its settings.
    sync: Option<watch::Receiver<Overview>>,
    ask_at: Instant,
    last: Option<Instant>,
    /// Both nodes' words at the last value.
    words: Option<(StatusWord, Option<StatusWord>)>,
    _place: Place,
}

impl Stream {
    /// A new listener.
    ///
    /// # Errors
    /// When there are too many.
    pub fn open(node: Arc<Node>) -> Result<Stream, Refusal> {
        let place = Place::take()?;
        Ok(Stream {
            guard: node.guard(),
            settings: node.watch_settings(),
            notices: node.conditions().subscribe(),
            sync: None,
            node,
            asked: Asked::default(),
            asking: None,
            events: Events::default(),
            ask_at: Instant::now(),
            last: None,
            words: None,
            _place: place,
        })
    }

    /// The next value; waits for it.
    pub async fn next(&mut self) -> Dashboard {
        match self.last {
            None => self.asked = ask(Arc::clone(&self.node)).await,
            Some(last) => {
                sleep_until(last + LEAST).await;
                self.wait(last + PULSE).await;
            }
        }
        self.see();
        self.events.read(&self.node).await;
        let dashboard = look(&self.node, &self.asked, &self.events.kept);
        let words = (dashboard.here.status, dashboard.there.as_ref().map(|it| it.status));
        if self.words.replace(words) != Some(words) {
            // Whether a failover would work has changed with it.
            self.ask_at = Instant::now();
        }
        self.last = Some(Instant::now());
        dashboard
    }

    /// What is at hand now is seen; what comes from here on is a change.
    fn see(&mut self) {
        self.guard.mark_unchanged();
        self.settings.mark_unchanged();
        self.notices.mark_unchanged();
        if self.sync.as_ref().is_none_or(|sync| sync.has_changed().is_err()) {
            self.sync = self.node.engine().ok().map(|engine| engine.watch());
        }
        self.sync.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }

    /// Until something changed, or then.
    async fn wait(&mut self, until: Instant) {
        if self.asking.is_none() && Instant::now() >= self.ask_at {
            self.ask_at = Instant::now() + ASK;
            self.asking = Some(tokio::spawn(ask(Arc::clone(&self.node))));
        }
        let asking = self.asking.as_mut();
        let left = until.saturating_duration_since(Instant::now());
        let asked = timeout(left, async {
            tokio::select! {
                asked = ended(asking) => Some(asked),
                _ = self.guard.changed() => None,
                _ = self.settings.changed() => None,
                _ = self.notices.changed() => None,
                () = changed(self.sync.as_mut()) => None,
            }
        });
        if let Ok(Some(asked)) = asked.await {
            self.asking = None;
            self.asked = asked.unwrap_or_default();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(asking) = &self.asking {
            asking.abort();
        }
    }
}

async fn ended(asking: Option<&mut JoinHandle<Asked>>) -> Option<Asked> {
    match asking {
        Some(asking) => asking.await.ok(),
        None => std::future::pending().await,
    }
}

async fn changed(sync: Option<&mut watch::Receiver<Overview>>) {
    let ended = match sync {
        Some(sync) => sync.changed().await.is_err(),
        None => true,
    };
    if ended {
        // The settings are being read again, which ends with a change of theirs.
        std::future::pending().await
    }
}

/// A listener's place, free again when it is dropped.
struct Place;

impl Place {
    fn take() -> Result<Place, Refusal> {
        if LISTENERS.fetch_add(1, Ordering::Relaxed) >= MAX_LISTENERS {
            LISTENERS.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::conflict(format!(
                "{MAX_LISTENERS} listen already; end one of them, or ask GET /api/v1/dashboard now \
                 and then"
            )));
        }
        Ok(Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

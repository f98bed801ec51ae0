//! Long-lived connections through the pair, and what became of each of them: TCP with data in
//! flight both ways, to the server and to a server behind the pair, streams of datagrams that a
//! host asked for once, a transfer by FTP.
//!
//! Called by the scenarios about flows and by the live view. Each connection is opened before the
//! fault and never again: a user's would not be either. What is sent carries a number, so that a
//! *pause* is the same silence that the other probes measure ([`super::measure`]): from the
//! sending of what has not come in its turn until the next that comes. What TCP needs to repeat
//! what was lost is part of it.

mod ftp;
mod open;
mod seen;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;
use twinwall_core::time::Moment;

use super::report::Window;
use crate::clock::now;
use crate::netns::Namespaces;
use ftp::Session;
pub use seen::{ConnectionsSeen, Fate, FtpSeen, KindSeen};
use wire::Line;

/// From one record of a connection to the next, each way.
const EVERY: Duration = Duration::from_millis(10);
/// Threads look at least this often whether they are to stop.
const STACK_BYTES: usize = 512 << 10;

/// What kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// TCP from the client to the server, IPv4.
    Tcp,
    /// The same, IPv6.
    Tcp6,
    /// TCP from the server to a port that the pair publishes for the client, IPv4.
    Published,
    /// The same, IPv6.
    Published6,
    /// A stream of datagrams from the server, for which the client asked once; IPv4.
    Stream,
    /// The same, IPv6.
    Stream6,
    /// A file that the server sends by FTP, over a connection that it opens itself.
    Transfer,
}

impl Kind {
    /// In words, for tables.
    pub const fn words(self) -> &'static str {
        match self {
            Kind::Tcp => "TCP",
            Kind::Tcp6 => "TCP over IPv6",
            Kind::Published => "TCP to a published server",
            Kind::Published6 => "the same over IPv6",
            Kind::Stream => "UDP stream",
            Kind::Stream6 => "UDP stream over IPv6",
            Kind::Transfer => "FTP transfer",
        }
    }
}

/// Which connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPlan {
    /// How many of each kind.
    pub kinds: Vec<(Kind, usize)>,
    /// Whether the LAN is hidden behind the WAN's VIP.
    pub nat: bool,
    /// Whether there is an FTP session as well; the packet filter must know of its helper.
    pub ftp: bool,
    /// How long the run may last; the logs are made for it beforehand.
    pub longest: Duration,
}

impl ConnectionPlan {
    /// Those of the scenarios about flows.
    pub fn usual(nat: bool, longest: Duration) -> ConnectionPlan {
        let kinds =
            [Kind::Tcp, Kind::Tcp6, Kind::Published, Kind::Published6].map(|kind| (kind, 4));
        let streams = [Kind::Stream, Kind::Stream6].map(|kind| (kind, 2));
        let kinds = kinds.into_iter().chain(streams).collect();
        ConnectionPlan { kinds, nat, ftp: true, longest }
    }

    /// Those behind the live view: fewer, and no FTP.
    pub fn few(longest: Duration) -> ConnectionPlan {
        let kinds = [Kind::Tcp, Kind::Tcp6, Kind::Published, Kind::Stream].map(|kind| (kind, 2));
        ConnectionPlan { kinds: kinds.to_vec(), nat: false, ftp: false, longest }
    }

    fn capacity(&self) -> usize {
        let count = self.longest.as_nanos() / EVERY.as_nanos() + 2;
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

/// Connections under way. Dropping it ends them.
pub struct Connections {
    lines: Vec<Arc<Line>>,
    ftp: Option<Session>,
    started: Moment,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Connections {
    /// Opens all of them; the pair must serve.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn start(plan: &ConnectionPlan, at: &Namespaces) -> io::Result<Connections> {
        let mut ends = open::all(plan, at)?;
        let mut ftp = None;
        if plan.ftp {
            let (session, transfer) = Session::begin(at, plan.capacity())?;
            ends.push(transfer);
            ftp = Some(session);
        }
        let lines = ends.iter().map(|ends| Arc::clone(&ends.line)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let builder = thread::Builder::new().name("connections".to_owned()).stack_size(STACK_BYTES);
        let thread = builder.spawn(move || wire::carry(ends, EVERY, &stopped))?;
        Ok(Connections { lines, ftp, started: now(), stop, thread: Some(thread) })
    }

    /// What became of them. Waits until the last answers are in; at the end of a window it also
    /// tries whether the FTP session still works.
    ///
    /// # Errors
    /// When the window is not covered by the logs.
    pub fn measure(&mut self, window: &Window) -> io::Result<ConnectionsSeen> {
        if window.quiet_from < self.started || window.fault > window.until {
            let text = "the window begins before the connections or ends before the fault";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        window.settle();
        let mut seen = seen::of(&self.lines, window);
        seen.ftp = self.ftp.as_mut().map(Session::try_out);
        Ok(seen)
    }

    /// The same at once, and without the FTP session: for a screen.
    pub fn glance(&self, window: &Window) -> ConnectionsSeen {
        seen::of(&self.lines, window)
    }

    /// When they were opened.
    pub fn started(&self) -> Moment {
        self.started
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has printed why; nothing is left to be stopped.
            let _ = thread.join();
        }
    }
}

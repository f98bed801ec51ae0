//! A source or a mirror with its sockets, for the thread that does not care which.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use twinwall_flows::kernel::{MirrorDrive, ReceiveError, SourceDrive};
use twinwall_flows::source::Source;
use twinwall_flows::view::{Part, View};
use twinwall_netlink::wait::Wake;

/// One of the two.
pub(super) enum Drive {
    Source(Box<SourceDrive>),
    Mirror(Box<MirrorDrive>),
}

/// Why it does not go on as it was.
pub(super) enum Stop {
    /// The other node's connection is of no use any more; in words.
    Peer(String),
    /// The kernel's sockets are not.
    Kernel(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Kernel(error)
    }
}

impl From<ReceiveError> for Stop {
    fn from(error: ReceiveError) -> Stop {
        match error {
            ReceiveError::Message(error) => Stop::Peer(error.to_string()),
            ReceiveError::Kernel(error) => Stop::Kernel(error),
        }
    }
}

impl Drive {
    pub(super) fn source(source: Source, interfaces: &[String], now: Instant) -> io::Result<Drive> {
        SourceDrive::open(source, interfaces, now).map(|drive| Drive::Source(Box::new(drive)))
    }

    pub(super) fn part(&self) -> Part {
        match self {
            Drive::Source(_) => Part::Source,
            Drive::Mirror(_) => Part::Mirror,
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        match self {
            Drive::Source(drive) => drive.source.connected(now),
            Drive::Mirror(drive) => drive.mirror.connected(now),
        }
    }

    pub(super) fn disconnected(&mut self, now: Instant) {
        match self {
            Drive::Source(drive) => drive.source.disconnected(now),
            Drive::Mirror(drive) => drive.mirror.disconnected(now),
        }
    }

    pub(super) fn receive(&mut self, now: Instant, message: &[u8]) -> Result<(), Stop> {
        match self {
            Drive::Source(drive) => {
                let received = drive.source.receive(now, message);
                received.map_err(|error| Stop::Peer(error.to_string()))
            }
            Drive::Mirror(drive) => Ok(drive.receive(now, message)?),
        }
    }

    pub(super) fn turn(&mut self, now: Instant) -> Result<(), Stop> {
        match self {
            Drive::Source(drive) => Ok(drive.turn(now)?),
            Drive::Mirror(drive) => Ok(drive.turn(now)?),
        }
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        match self {
            Drive::Source(drive) => drive.source.poll(now),
            Drive::Mirror(drive) => drive.mirror.poll(),
        }
    }

    pub(super) fn complete(&self) -> bool {
        match self {
            Drive::Source(drive) => drive.source.complete(),
            Drive::Mirror(drive) => drive.mirror.complete(),
        }
    }

    /// Whether all was compared over the present connection.
    pub(super) fn compared(&self) -> bool {
        match self {
            Drive::Source(drive) => drive.source.compared(),
            Drive::Mirror(drive) => drive.mirror.compared(),
        }
    }

    /// Why a mirror does not keep its place any more; once.
    pub(super) fn place_trouble(&mut self) -> Option<io::Error> {
        match self {
            Drive::Source(_) => None,
            Drive::Mirror(drive) => drive.place_trouble(),
        }
    }

    pub(super) fn view(&self, now: Instant) -> View {
        match self {
            Drive::Source(drive) => drive.source.view(now),
            Drive::Mirror(drive) => drive.mirror.view(now),
        }
    }

    pub(super) fn wait(&mut self, wake: &Wake, now: Instant) -> Result<(), Stop> {
        match self {
            Drive::Source(drive) => Ok(drive.wait(wake.as_fd(), now)?),
            Drive::Mirror(drive) => Ok(drive.wait(wake.as_fd(), now)?),
        }
    }
}

//! The first words of a run: hellos, before the guard takes the kernel over.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use twinwall_core::ids::{PathId, PathSet};
use twinwall_core::time::Moment;
use twinwall_core::wire::{MAX_FRAME, Received};

use super::readiness::{Source, Waiting};
use super::{Mail, Parts, Paths, outputs};
use crate::clock;
use crate::frames::ETHERNET_HEADER;
use crate::mailbox::Taken;

/// How long a starting guard waits for the peer before it takes the kernel over:
/// its predecessor's lease may still serve, and ends by itself.
const GREETING: Duration = Duration::from_millis(50);

/// Says hello until the peer's run is known or [`GREETING`] is over.
pub(super) fn greet(parts: &mut Parts, paths: &mut Paths, early: &mut Vec<Mail>) -> io::Result<()> {
    let end = clock::now() + GREETING;
    let mut hello_at = Moment::ZERO;
    loop {
        let now = clock::now();
        if now >= end || parts.session.knows_peer() {
            return Ok(());
        }
        let mut fresh = false;
        for receiver in [&parts.urgent, &parts.mail] {
            receiver.clear();
            while let Taken::Letter(mail) = receiver.take() {
                match mail {
                    Mail::Path(name, socket) => {
                        paths.set(name, socket);
                        fresh = true;
                    }
                    other => early.push(other),
                }
            }
        }
        if fresh || now >= hello_at {
            hello_at = now + Duration::from_millis(10);
            outputs::say_hello(&mut parts.session, paths, PathSet::first(paths.count()));
        }
        for index in 0..paths.count() {
            let path = PathId(index as u8);
            let mut frame = [0; ETHERNET_HEADER + MAX_FRAME];
            while let Some((length, _)) = paths.receive(path, &mut frame) {
                let frame = &frame[ETHERNET_HEADER.min(length)..length];
                if let Ok(Received::Hello { answer: true, .. }) =
                    parts.session.receive(now, path, frame)
                {
                    outputs::say_hello(&mut parts.session, paths, PathSet::only(path));
                }
            }
        }
        let mut waiting = Waiting::new()?;
        waiting.add(parts.urgent.as_fd(), Source::Mail)?;
        waiting.add(parts.mail.as_fd(), Source::Mail)?;
        paths.wait_for(&waiting)?;
        waiting.wait(hello_at.min(end).since(clock::now()))?;
    }
}

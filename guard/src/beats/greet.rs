//! The first words of a run: hellos, before the guard takes the kernel over.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use twinwall_core::config::Pair;
use twinwall_core::ids::{PathId, PathSet};
use twinwall_core::time::Moment;
use twinwall_core::wire::{MAX_FRAME, Received};

use super::readiness::{Source, Waiting};
use super::reload::Place;
use super::{Beats, Mail, Parts, Paths, outputs};
use crate::clock;
use crate::frames::ETHERNET_HEADER;
use crate::mailbox::Taken;

/// How long a starting guard waits for the peer before it takes the kernel over:
/// its predecessor's lease may still serve, and ends by itself.
const GREETING: Duration = Duration::from_millis(50);

/// Says hello until the peer's run and this node's links are known, or [`GREETING`] is over.
pub(super) fn greet(parts: &mut Parts, paths: &mut Paths, early: &mut Vec<Mail>) -> io::Result<()> {
    let end = clock::now() + GREETING;
    let mut hello_at = Moment::ZERO;
    let mut unknown: Vec<String> = names(&parts.setup.pair);
    loop {
        let now = clock::now();
        if now >= end || (parts.session.knows_peer() && unknown.is_empty()) {
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
                    Mail::Link(name, up) => {
                        unknown.retain(|known| known != name.as_str());
                        early.push(Mail::Link(name, up));
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

/// The interfaces whose carrier counts.
fn names(pair: &Pair) -> Vec<String> {
    let watched = pair.interfaces.iter().map(|entry| entry.name.clone());
    watched.chain([pair.ha_link.interface.clone()]).collect()
}

impl Beats {
    /// The core's first words. They say which links there are: a peer that is told of none
    /// would think itself the better node, and claim beside one that serves already.
    pub(super) fn begin(&mut self, early: Vec<Mail>) {
        let (mut ha, mut links) = (None, Vec::new());
        let mut rest = Vec::with_capacity(early.len());
        for mail in early {
            match mail {
                Mail::Link(name, up) => match self.place(name) {
                    Some(Place::HaLink) => ha = Some(up),
                    Some(Place::Interface(interface)) => links.push((interface, up)),
                    None => {}
                },
                other => rest.push(other),
            }
        }
        self.core.know_links(clock::now(), ha, &links);
        self.carry_out();
        for mail in rest {
            self.open(mail);
        }
    }
}

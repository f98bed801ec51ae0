//! Carries out what the core says.

use twinwall_core::beat::Beat;
use twinwall_core::event::{Event, GateOrder, Output};
use twinwall_core::ids::PathSet;
use twinwall_core::wire::{MAX_FRAME, Session};

use super::{Beats, Frames, Paths};
use crate::clock;

/// How often an opening is tried at once.
const OPENINGS: u32 = 2;

impl Beats {
    /// Does everything that the core wants done, in its order.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Send { paths, beat } => {
                    self.mind_grant(&beat);
                    self.send(paths, &beat);
                }
                Output::Gate(order) => self.gate(order),
                Output::Want(desired) => self.parts.wanted.want(desired),
                Output::Announce { start: true } => self.parts.announce.start(),
                Output::Announce { start: false } => self.parts.announce.stop(),
                Output::AskKernel { paths } => self.paths.ask_kernel(clock::now(), paths),
                Output::CheckLinks => self.parts.links.check(),
                Output::PingTargets => {
                    if let Some(pinger) = &self.parts.pinger {
                        pinger.send_all();
                    }
                }
                Output::Note(note) => self.writer.push(note),
                Output::Refused(why) => self.refusal = Some(why),
                Output::Stop => self.stop = true,
            }
        }
    }

    /// Sends a beat; hellos go with it while the peer's run is not settled.
    fn send(&mut self, paths: PathSet, beat: &Beat) {
        if self.parts.session.wants_hello() {
            say_hello(&mut self.parts.session, &self.paths, paths);
        }
        for path in paths.iter() {
            let mut frame = [0; MAX_FRAME];
            if let Some(length) = self.parts.session.seal_beat(path, beat, &mut frame) {
                self.paths.send(path, &frame[..length]);
            }
        }
    }

    /// A gate order. Opening takes two halves: arm, read everything again, open.
    /// A node that was frozen in between finds its arming run out.
    fn gate(&mut self, order: GateOrder) {
        let took = match order {
            GateOrder::Open { .. } => self.open_gate(),
            GateOrder::Renew { .. } | GateOrder::CloseAnswer { .. } | GateOrder::Close => {
                self.parts.gate.obey(order)
            }
        };
        self.tell_core(Event::GateAnswered { order, took });
        if !took && self.parts.gate.is_lost() {
            // Until the gate's thread has put it back, only addresses hold this node back.
            self.parts.gate.works(false);
            self.tell_core(Event::GateWorks { works: false });
        }
    }

    /// An arming ends with the kernel's tick, which may come at any moment: then once more.
    fn open_gate(&mut self) -> bool {
        for _ in 0..OPENINGS {
            self.parts.gate.arm();
            self.refresh();
            let Some(until) = self.core.may_open(clock::now()) else { return false };
            if self.parts.gate.open(until) {
                self.gate_was_opened();
                return true;
            }
        }
        false
    }

    /// Feeds the core all that waits in the sockets, without acting on it yet.
    fn refresh(&mut self) {
        let all = PathSet::first(self.paths.count());
        self.each_frame(all, Frames::All, &mut |beats, event| beats.tell_core(event));
        for path in self.paths.answering_kernels(all) {
            self.tell_core(Event::KernelAnswered { path });
        }
    }

    fn tell_core(&mut self, event: Event) {
        let now = clock::now();
        self.record(now, &event);
        self.core.handle(now, event);
    }
}

/// Says hello on `paths`.
pub(super) fn say_hello(session: &mut Session, paths: &Paths, on: PathSet) {
    for path in on.iter() {
        let mut frame = [0; MAX_FRAME];
        let length = session.hello(path, &mut frame);
        paths.send_to_group(path, &frame[..length]);
    }
}

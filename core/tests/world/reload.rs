//! Settings read again by a running guard, and where each guard listens.

use super::clock::us;
use super::machine::Waiting;
use super::network::Side;
use super::{Item, World};

impl World {
    /// The guard reads its settings again.
    pub(super) fn reload(&mut self, side: Side) {
        let time = self.time;
        let machine = &mut self.machines[side];
        let now = machine.now(time);
        let known: Vec<bool> =
            (0..self.names.len()).map(|medium| self.interface_on(side, medium).is_some()).collect();
        let machine = &mut self.machines[side];
        let pair = machine.setup.pair.clone();
        if let Err(refused) = machine.core.reload(now, pair) {
            self.coverage.count(&format!("reload refused: {refused:?}"));
            self.trace_line(side, &format!("reload refused: {refused}"));
            return;
        }
        let tags = machine.pair().path_tags();
        if self.machines[0].pair().list_tag() != self.machines[1].pair().list_tag() {
            self.coverage.count("reloaded beside another list");
        }
        let machine = &mut self.machines[side];
        machine.session.name_paths(tags);
        self.listen(side);
        // The link thread reads what is new a little later.
        let run = self.machines[side].runs;
        for medium in (1..self.names.len()).filter(|medium| !known[*medium]) {
            self.machines[side].told[medium] = None;
            let at = time + self.prng.between(us(50), us(2_000));
            self.push(at, Item::Tell(side, run, Waiting::Carrier(medium)));
        }
    }

    /// The network learns where a guard listens.
    pub(super) fn listen(&mut self, side: Side) {
        for medium in 0..self.names.len() {
            self.network.media[medium].is_path[side] = self.path_over(side, medium).is_some();
        }
    }
}

//! The snapshot: everything this node knows and wants, for people and programs.

use crate::beat::{Gateways, RoleWord};
use crate::config::{Gateway, MAX_GATEWAYS};
use crate::election::Verdict;
use crate::ids::InterfaceId;
use crate::peer::Phase;
use crate::snapshot::{
    CheckView, DesiredView, ElectionView, GatewayView, InterfaceView, OwnView, PathView, PeerView,
    RoleView, Snapshot, TimerView,
};
use crate::time::Moment;

use super::{Core, Setup};

impl Core {
    /// What this core was made from, with the settings of now.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The role held now.
    pub fn role(&self) -> RoleWord {
        self.role
    }

    /// Everything this node knows and wants at `now`.
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let pair = &self.setup.pair;
        let mut timers = Vec::new();
        self.each_timer(&mut |timer, at| {
            if at > now && at < Moment::NEVER {
                timers.push(TimerView { name: timer.to_string(), left: at.since(now) });
            }
        });
        Snapshot {
            at: now,
            name: self.setup.name.clone(),
            designation: self.setup.designation,
            boot: self.setup.boot,
            status: self.status_word().to_owned(),
            peer: self.peer_view(now),
            own: self.own_view(now),
            election: self.election_view(now),
            role: RoleView {
                role: self.role,
                epoch: self.epoch,
                since: now.since(self.since),
                reason: self.reason,
                lease: self.lease.until.map(|until| until.since(now)),
                alone: self.lease.alone,
            },
            desired: DesiredView {
                generation: self.generation,
                addresses: self.addresses,
                applied: self.applied,
            },
            paths: self.path_views(now),
            interfaces: self.interface_views(now),
            gateways: self.gateway_views(),
            interval: pair.interval,
            detection: self.tuning.detection,
            cable: pair.ha_link.cable,
            cable_is_direct: self.early.direct,
            cable_checked: self.early.checked,
            timers,
        }
    }

    fn status_word(&self) -> &'static str {
        let fitness = self.health.fitness(self.serving());
        match self.role {
            RoleWord::Active => "active",
            RoleWord::Claiming => "claiming",
            RoleWord::Releasing => "releasing",
            RoleWord::Starting | RoleWord::Passive if fitness.maintenance => "maintenance",
            RoleWord::Starting | RoleWord::Passive
                if !fitness.eligible() || self.unhealthy_link() =>
            {
                "fault"
            }
            RoleWord::Starting => "starting",
            RoleWord::Passive => "passive",
        }
    }

    fn unhealthy_link(&self) -> bool {
        self.health.links.iter().any(|link| link.watch && !link.fresh && (!link.up || link.held))
    }

    fn peer_view(&self, now: Moment) -> PeerView {
        let said = self.peer.said.as_ref();
        PeerView {
            state: self.peer.phase(now, &self.tuning).word().to_owned(),
            boot: self.peer.boot,
            silence: self.peer.heard_at.map(|at| now.since(at)),
            role: said.map(|said| said.role),
            epoch: said.map(|said| said.epoch).unwrap_or_default(),
            fitness: self.peer.fitness().or_else(|| said.map(|said| said.fitness)),
            left: self.peer.left,
            same_settings: self.same_settings,
            round_trip: self.peer.round_trip,
        }
    }

    fn own_view(&self, now: Moment) -> OwnView {
        let serving = self.serving();
        let name = |index: usize| self.interface_name(index);
        let checks = self.health.facts.iter().map(|(name, fact)| CheckView {
            name: name.clone(),
            good: fact.good,
            reason: fact.reason.clone(),
            left: fact.until.since(now),
        });
        OwnView {
            fitness: self.health.fitness(serving),
            unfit: self.health.objections(serving, &name),
            waits_for: self.waits_for(),
            lasting: self.health.lasting(&name),
            maintenance: self.health.maintenance.map(|until| until.since(now)),
            checks: checks.collect(),
        }
    }

    fn interface_name(&self, index: usize) -> String {
        let interface = self.setup.pair.interfaces.get(index);
        interface.map_or(String::new(), |interface| interface.name.clone())
    }

    /// Why a planned move to this node must wait, each in a sentence.
    pub(super) fn waits_for(&self) -> Vec<String> {
        self.health.waits_for(&|index| self.interface_name(index))
    }

    fn election_view(&self, now: Moment) -> ElectionView {
        let verdict = self.verdict(now);
        let heard = matches!(self.peer.phase(now, &self.tuning), Phase::Alive | Phase::Doubted);
        let should_serve = match verdict {
            Verdict::Serve(_) => "this node",
            Verdict::HandOver(_) => "the peer",
            Verdict::Stop(_) | Verdict::Stay(_) if heard => "the peer",
            Verdict::Stop(_) | Verdict::Stay(_) => "nobody",
        };
        ElectionView { should_serve: should_serve.to_owned(), reason: verdict.reason() }
    }

    fn path_views(&self, now: Moment) -> Vec<PathView> {
        let pair = &self.setup.pair;
        let watched = pair
            .interfaces
            .iter()
            .filter(|interface| interface.watch)
            .map(|interface| &interface.name);
        let names = std::iter::once(&pair.ha_link.interface).chain(watched);
        let view = |(name, path): (&String, &crate::peer::Path)| PathView {
            interface: name.clone(),
            carrier: path.carrier,
            peer_carrier: path.peer_carrier,
            alive: path.heard_at.is_some_and(|at| now.since(at) < self.tuning.path),
            silence: path.heard_at.map(|at| now.since(at)),
            heard: path.count,
        };
        names.zip(&self.peer.paths).take(self.peer.path_count()).map(view).collect()
    }

    fn gateway_views(&self) -> Vec<GatewayView> {
        let said = self.peer.said.as_ref().filter(|_| self.same_settings);
        let theirs = said.map_or(Gateways::default(), |said| said.fitness.gateways);
        let view = |(index, gateway): (usize, &Gateway)| {
            let (fact, bit) = (self.health.gateway(index), 1u16 << index);
            GatewayView {
                interface: gateway.interface.clone(),
                address: gateway.address,
                here: fact.map(|fact| fact.good),
                why: fact.filter(|fact| !fact.good).map_or(String::new(), |it| it.reason.clone()),
                there: (theirs.told & bit != 0).then_some(theirs.reached & bit != 0),
            }
        };
        self.setup.pair.gateways.iter().take(MAX_GATEWAYS).enumerate().map(view).collect()
    }

    fn interface_views(&self, now: Moment) -> Vec<InterfaceView> {
        let (peer, comparable) = (self.peer.fitness(), self.comparable());
        let view = |(index, interface): (usize, &crate::config::Interface)| InterfaceView {
            name: interface.name.clone(),
            watch: interface.watch,
            carrier: self.health.is_up(InterfaceId(index as u8)),
            held: self.health.links.get(index).and_then(|link| self.health.hold_left(now, link)),
            peer_healthy: peer
                .filter(|_| interface.watch && comparable & InterfaceId(index as u8).bit() != 0)
                .map(|fitness| fitness.healthy & InterfaceId(index as u8).bit() != 0),
            virtual_ips: interface.virtual_ips.clone(),
        };
        self.setup.pair.interfaces.iter().enumerate().map(view).collect()
    }
}

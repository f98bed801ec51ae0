//! What a run is made of: the pair's configuration, the cables, the clocks.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use twinwall_core::Setup;
use twinwall_core::config::{Cable, Damping, Failback, HaLink, Interface, Pair, Prefix};
use twinwall_core::ids::{BootId, Designation};

use super::clock::Clock;
use super::faults::Lists;
use super::network::Side;
use super::prng::Prng;

/// A run's settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where chance comes from.
    pub(crate) seed: u64,
    /// Given to both nodes.
    pub(crate) pair: Pair,
    /// A switch lies on the HA link, whatever the configuration says.
    pub(crate) ha_switched: bool,
    /// The machines' clocks.
    pub(crate) clocks: [Clock; 2],
    /// The kernels have a working gate.
    pub(crate) gate: bool,
}

impl Settings {
    /// Settings of a quiet pair: 100 ms, threshold 3, direct cable, `lan` and `wan`
    /// watched, `mgmt` not.
    pub(crate) fn plain(seed: u64) -> Settings {
        Settings {
            seed,
            pair: pair(Duration::from_millis(100), 3),
            ha_switched: false,
            clocks: [Clock { offset: 0, drift_ppm: 0 }; 2],
            gate: true,
        }
    }

    /// Settings drawn from `seed`.
    pub(crate) fn drawn(seed: u64) -> Settings {
        let mut prng = Prng::new(seed ^ 0x5e77);
        let (interval, threshold) = *prng.pick(&[
            (10, 3),
            (20, 2),
            (20, 5),
            (50, 3),
            (50, 3),
            (100, 3),
            (100, 3),
            (250, 2),
            (1000, 3),
        ]);
        let mut pair = pair(Duration::from_millis(interval), threshold);
        let hold = *prng.pick(&[0, 500, 1_500, 5_000]);
        pair.boot_hold = Duration::from_millis(hold).max(pair.detection());
        if prng.chance(500) {
            pair.failback =
                Failback::Primary { hold: Duration::from_millis(prng.between(200, 3_000)) };
        }
        pair.damping.flaps = *prng.pick(&[3, 5]);
        pair.damping.window = Duration::from_secs(20);
        pair.damping.hold = Duration::from_millis(prng.between(500, 4_000));
        if prng.chance(250) {
            pair.ping_targets = vec![target()];
        }
        if prng.chance(250) {
            pair.required_checks = vec!["services".to_owned()];
        }
        match prng.below(8) {
            0 => pair.interfaces[1].watch = false,
            1 => pair.interfaces.iter_mut().for_each(|interface| interface.watch = false),
            _ => {}
        }
        let ha_switched = prng.chance(400);
        // Now and then the declaration is wrong.
        let direct = if prng.chance(100) { ha_switched } else { !ha_switched };
        pair.ha_link.cable = if direct { Cable::Direct } else { Cable::Switched };
        let clock = |prng: &mut Prng| Clock {
            offset: prng.below(1 << 50),
            drift_ppm: prng.between(0, 400) as i64 - 200,
        };
        let clocks = [clock(&mut prng), clock(&mut prng)];
        Settings { seed, pair, ha_switched, clocks, gate: true }
    }

    /// What the core of `side` is made with.
    pub(crate) fn setup(&self, side: Side, boot: BootId) -> Setup {
        let (name, designation) = match side {
            0 => ("a", Designation::Primary),
            _ => ("b", Designation::Secondary),
        };
        Setup { name: name.to_owned(), designation, boot, pair: self.pair.clone(), gate: self.gate }
    }
}

impl Lists {
    /// The lists of a pair whose interfaces are all there.
    pub(crate) fn of(pair: &Pair) -> Lists {
        let watches = pair.interfaces.iter().map(|interface| interface.watch);
        let interfaces = watches.enumerate().map(|(index, watch)| (index + 1, watch));
        Lists {
            interfaces: interfaces.collect(),
            target: !pair.ping_targets.is_empty(),
            slow: false,
        }
    }

    /// Lists drawn at random: some of the interfaces in any order.
    pub(crate) fn drawn(base: &Pair, prng: &mut Prng) -> Lists {
        let mut lists = Lists::of(base);
        lists.interfaces.retain(|_| prng.chance(800));
        if lists.interfaces.is_empty() || prng.chance(200) {
            lists = Lists::of(base);
        }
        for (_, watch) in &mut lists.interfaces {
            *watch = *watch != prng.chance(250);
        }
        if prng.chance(300) {
            lists.interfaces.reverse();
        }
        lists.target = prng.chance(200);
        lists.slow = prng.chance(200);
        lists
    }

    /// `base` with these lists.
    pub(crate) fn pair(&self, base: &Pair) -> Pair {
        let mut pair = base.clone();
        let interface = |(medium, watch): &(usize, bool)| Interface {
            watch: *watch,
            ..base.interfaces[medium - 1].clone()
        };
        pair.interfaces = self.interfaces.iter().map(interface).collect();
        pair.ping_targets = if self.target { vec![target()] } else { Vec::new() };
        if self.slow {
            pair.interval *= 2;
            pair.boot_hold = pair.boot_hold.max(pair.detection());
        }
        pair
    }
}

fn target() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 2, 0, 254))
}

fn pair(interval: Duration, threshold: u8) -> Pair {
    let prefix = |net: u8, host: u8| Prefix {
        address: IpAddr::V4(Ipv4Addr::new(10, net, 0, host)),
        length: 24,
    };
    let interface = |name: &str, watch: bool, net: u8| Interface {
        name: name.to_owned(),
        watch,
        primary: vec![prefix(net, 2)],
        secondary: vec![prefix(net, 3)],
        virtual_ips: vec![prefix(net, 1)],
    };
    Pair {
        pair_id: 7,
        interval,
        threshold,
        ha_link: HaLink { interface: "ha0".to_owned(), cable: Cable::Direct },
        interfaces: vec![
            interface("lan", true, 1),
            interface("mgmt", false, 3),
            interface("wan", true, 2),
        ],
        failback: Failback::Stay,
        ping_targets: Vec::new(),
        enabled: true,
        sync: Default::default(),
        flows: Default::default(),
        logs: Default::default(),
        overridden: Vec::new(),
        boot_hold: (interval * u32::from(threshold)).max(Duration::from_secs(1)),
        damping: Damping {
            flaps: 5,
            window: Duration::from_secs(60),
            hold: Duration::from_secs(3),
        },
        required_checks: Vec::new(),
    }
}

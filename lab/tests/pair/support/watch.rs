//! Hosts that ask all the time who has the VIPs.

use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::time::Moment;
use twinwall_lab::clock::now;
use twinwall_lab::plan;
use twinwall_lab::traffic::{Measured, ProbePlan, Probes, Side, Window};

use super::{Pair, VIPS, let_pass};

/// The longest watch.
const LONGEST: Duration = Duration::from_secs(40);

/// Questions by ARP and neighbour solicitation for every VIP, from both sides, each
/// 10 ms; two hardware addresses that answer one of them are two nodes that answer.
pub(crate) struct Watch {
    probes: Probes,
    from: Moment,
}

impl Watch {
    /// Begins to watch; the pair must serve already.
    pub(crate) fn begin(pair: &Pair) -> Watch {
        Watch::also(pair, &[], 0)
    }

    /// Watches more VIPs of the LAN as well, and sends `rate` numbered packets a second
    /// through the pair.
    pub(crate) fn also(pair: &Pair, more: &[IpAddr], rate: u32) -> Watch {
        let side = |vip: &IpAddr| match *vip {
            plan::WAN_VIP | plan::WAN_VIP6 => (Side::Server, *vip),
            _ => (Side::Client, *vip),
        };
        let routed = if rate == 0 { Vec::new() } else { vec![plan::SERVER_IP, plan::SERVER_IP6] };
        let order = ProbePlan {
            rate_per_s: rate.max(1),
            routed,
            pings: Vec::new(),
            resolve: VIPS.iter().chain(more).map(side).collect(),
            resolve_every: Duration::from_millis(10),
            tcp: None,
            longest: LONGEST,
            ..ProbePlan::default()
        };
        let probes = Probes::start(&order, &pair.lab.hosts()).unwrap();
        Watch { probes, from: now() }
    }

    /// Watches everything that a client can notice: 1,000 pings a second and VIP, 1,000 routed
    /// packets a second of each family, and connections. Ends by [`Watch::unharmed`].
    pub(crate) fn closely(pair: &Pair) -> Watch {
        let (every, longest) = (Duration::from_millis(1), LONGEST);
        let order = ProbePlan { ping_every: every, longest, ..ProbePlan::default() };
        let probes = Probes::start(&order, &pair.lab.hosts()).unwrap();
        // What the first packets learn is no harm.
        let_pass(Duration::from_millis(500));
        Watch { probes, from: now() }
    }

    /// Ends a close watch: nothing was lost, no connection broke, and never did two answer.
    pub(crate) fn unharmed(self, pair: &Pair) {
        let measured = self.end(pair);
        let lost: u32 = measured.streams.iter().map(|stream| stream.lost).sum();
        assert_eq!((lost, measured.tcp_broken), (0, 0), "{measured:#?}\n{}", pair.story());
    }

    /// Ends the watch: what was seen. Two nodes that answered fail the test.
    pub(crate) fn end(self, pair: &Pair) -> Measured {
        // So that the questions under way are answered.
        let_pass(Duration::from_millis(100));
        let window = Window { quiet_from: self.from, fault: self.from, until: now() };
        let measured = self.probes.measure(&window).unwrap();
        assert_eq!(measured.two_answer, Duration::ZERO, "{measured:#?}\n{}", pair.story());
        assert!(!measured.answered_by.is_empty(), "nobody answered at all: {measured:#?}");
        measured
    }
}

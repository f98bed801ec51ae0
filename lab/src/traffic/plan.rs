//! What to probe. Values only; called by scenarios, read by [`super::Probes`].

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::Serialize;

use super::{MAX_CONNECTIONS, MAX_RATE_PER_S, MAX_STREAMS};
use crate::plan;

/// Where a stream is sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The client, in the LAN.
    Client,
    /// The server, in the WAN.
    Server,
}

/// How a stream asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Numbered UDP through the pair to the server, which echoes it.
    Routed,
    /// ICMP echo to a VIP.
    Ping,
    /// ARP request or neighbour solicitation for a VIP.
    Resolve,
}

/// TCP connections through the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPlan {
    /// The server's address.
    pub server: IpAddr,
    /// How many.
    pub connections: usize,
    /// From one record of a connection to the next.
    pub every: Duration,
}

/// What to probe, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePlan {
    /// Probes a second of each routed stream.
    pub rate_per_s: u32,
    /// The server's addresses to which routed streams go.
    pub routed: Vec<IpAddr>,
    /// VIPs to ping, and from where.
    pub pings: Vec<(Side, IpAddr)>,
    /// From one ping of a stream to the next.
    pub ping_every: Duration,
    /// VIPs to ask for by ARP or neighbour solicitation, and from where.
    pub resolve: Vec<(Side, IpAddr)>,
    /// From one such question of a stream to the next.
    pub resolve_every: Duration,
    /// Long-lived connections.
    pub tcp: Option<TcpPlan>,
    /// VIPs of the LAN to ask for in turn, to find when the last one moved.
    pub all_vips: Vec<Ipv4Addr>,
    /// How long the run may last; the logs are made for it beforehand.
    pub longest: Duration,
}

impl Default for ProbePlan {
    /// The lab's addresses, 1,000 routed probes a second of each family.
    fn default() -> ProbePlan {
        ProbePlan {
            rate_per_s: 1_000,
            routed: vec![plan::SERVER_IP, plan::SERVER_IP6],
            pings: vec![
                (Side::Client, plan::LAN_VIP),
                (Side::Client, plan::LAN_VIP6),
                (Side::Server, plan::WAN_VIP),
                (Side::Server, plan::WAN_VIP6),
            ],
            ping_every: Duration::from_millis(2),
            resolve: vec![(Side::Client, plan::LAN_VIP), (Side::Client, plan::LAN_VIP6)],
            resolve_every: Duration::from_millis(5),
            tcp: Some(TcpPlan {
                server: plan::SERVER_IP,
                connections: 20,
                every: Duration::from_millis(20),
            }),
            all_vips: Vec::new(),
            longest: Duration::from_secs(120),
        }
    }
}

impl ProbePlan {
    /// Refuses what the probes cannot do.
    pub(super) fn check(&self) -> io::Result<()> {
        let refuse = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if self.rate_per_s == 0 || self.rate_per_s > MAX_RATE_PER_S {
            let rate = self.rate_per_s;
            return refuse(format!("{rate} probes/s: choose 1 to {MAX_RATE_PER_S}"));
        }
        let fastest = Duration::from_secs(1) / MAX_RATE_PER_S;
        let tcp_every = self.tcp.map_or(fastest, |tcp| tcp.every);
        if self.ping_every < fastest || self.resolve_every < fastest || tcp_every < fastest {
            return refuse(format!("probes need at least {fastest:?} from one to the next"));
        }
        let streams = self.routed.len() + self.pings.len() + self.resolve.len();
        if streams > MAX_STREAMS {
            return refuse(format!("{streams} streams: at most {MAX_STREAMS}"));
        }
        match self.tcp {
            Some(tcp) if tcp.connections > MAX_CONNECTIONS => {
                refuse(format!("{} connections: at most {MAX_CONNECTIONS}", tcp.connections))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Probes that a stream at one each `every` sends in the longest run.
    pub(super) fn capacity(&self, every: Duration) -> usize {
        let count = self.longest.as_nanos() / every.as_nanos().max(1) + 2;
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_plan_is_accepted_and_impossible_ones_are_refused() {
        assert!(ProbePlan::default().check().is_ok());
        let refused = |change: fn(&mut ProbePlan)| {
            let mut plan = ProbePlan::default();
            change(&mut plan);
            plan.check().unwrap_err().to_string()
        };
        assert!(refused(|plan| plan.rate_per_s = 0).contains("1 to 10000"));
        assert!(refused(|plan| plan.rate_per_s = 10_001).contains("1 to 10000"));
        assert!(refused(|plan| plan.ping_every = Duration::ZERO).contains("100µs"));
        assert!(refused(|plan| plan.routed = vec![plan::SERVER_IP; 65]).contains("at most 64"));
        let many = |plan: &mut ProbePlan| {
            plan.tcp = plan.tcp.map(|tcp| TcpPlan { connections: 257, ..tcp });
        };
        assert!(refused(many).contains("at most 256"));
    }

    #[test]
    fn the_log_holds_the_longest_run() {
        let plan = ProbePlan { longest: Duration::from_secs(10), ..ProbePlan::default() };
        assert_eq!(plan.capacity(Duration::from_millis(1)), 10_002);
    }
}

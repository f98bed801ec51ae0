//! The machines and cables of the lab, laid out by [`crate::plan`].
//!
//! Every cable is a veth whose two ends have the same interface index, each cable
//! another one: to the kernel such a pair looks like a physical NIC, whose
//! link-down notices are rate limited. Ordinary veths would flatter a link watch.

use std::sync::Arc;

use crate::error::{Doing, Result};
use crate::link::LinkSocket;
use crate::plan;
use crate::worker::{Worker, command_outside};

/// How the two HA ports are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaWiring {
    /// One cable from port to port.
    Direct,
    /// A box between them: a switch, or the place where a cable is cut in the middle.
    Box,
}

/// A gateway's interfaces, by what they face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The other gateway.
    Ha,
    /// The LAN switch.
    Lan,
    /// The WAN switch.
    Wan,
}

impl Port {
    /// Interface name on the gateway.
    pub const fn interface(self) -> &'static str {
        match self {
            Port::Ha => plan::HA,
            Port::Lan => plan::LAN,
            Port::Wan => plan::WAN,
        }
    }

    /// Interface index, the same on both ends of the cable. `node` is 0 or 1.
    pub const fn index(self, node: usize, wiring: HaWiring) -> u32 {
        match (self, wiring) {
            (Port::Ha, HaWiring::Direct) => 11,
            (Port::Ha, HaWiring::Box) => [12, 13][node],
            (Port::Lan, _) => [14, 15][node],
            (Port::Wan, _) => [16, 17][node],
        }
    }
}

const CLIENT_INDEX: u32 = 18;
const SERVER_INDEX: u32 = 19;
/// Names of the gateways' ports on a switch.
const SWITCH_PORTS: [&str; 2] = ["port-a", "port-b"];

/// Links that lose power together: a gateway's, and both ports of the HA switch.
pub const POWER_GROUP: u32 = 7;

/// A switch and the socket that moves its ports.
pub struct Switch {
    /// Its thread.
    pub machine: Worker,
    /// Sets its ports up and down.
    pub ports: LinkSocket,
}

/// A gateway's machine, without anything running on it.
#[derive(Clone)]
pub struct Machine {
    /// Its thread.
    pub worker: Worker,
    /// Sets its interfaces up and down.
    pub links: Arc<LinkSocket>,
}

impl Machine {
    /// What a machine without power forgets: tables, addresses, flows, neighbours.
    pub fn forget_kernel_state(&self) -> Result<()> {
        let worker = &self.worker;
        let tables = worker.command("nft", &["list", "tables"], String::new())?;
        let script: String = tables.lines().map(|line| format!("delete {line}\n")).collect();
        worker.command("nft", &["-f", "-"], script)?;
        worker.command("conntrack", &["--flush"], String::new())?;
        let mut script = String::from("neigh flush all\n");
        for port in [Port::Ha, Port::Lan, Port::Wan] {
            script += &format!("addr flush dev {}\n", port.interface());
        }
        ip(worker, script)
    }
}

/// All machines.
pub struct Topology {
    /// How the HA ports are joined.
    pub wiring: HaWiring,
    /// The gateways: primary, secondary.
    pub gateways: [Machine; 2],
    /// The LAN switch.
    pub lan: Switch,
    /// The WAN switch.
    pub wan: Switch,
    /// What is between the HA ports, when it is not one cable.
    pub ha: Option<Switch>,
    /// Sends traffic.
    pub client: Worker,
    /// Answers it.
    pub server: Worker,
}

impl Topology {
    /// Makes everything: namespaces, cables, switches, the hosts' addresses and routes.
    pub fn build(wiring: HaWiring, lan_prefix: u8) -> Result<Topology> {
        let gateways = [machine(plan::GATEWAY_A)?, machine(plan::GATEWAY_B)?];
        let (lan, wan) = (switch(plan::SWITCH_LAN)?, switch(plan::SWITCH_WAN)?);
        let ha = match wiring {
            HaWiring::Direct => None,
            HaWiring::Box => Some(switch(plan::SWITCH_HA)?),
        };
        let (client, server) = (Worker::start(plan::CLIENT)?, Worker::start(plan::SERVER)?);
        let topology = Topology { wiring, gateways, lan, wan, ha, client, server };
        topology.lay_cables()?;
        topology.settle_hosts(lan_prefix)?;
        for gateway in &topology.gateways {
            settle_gateway(gateway)?;
        }
        Ok(topology)
    }

    fn lay_cables(&self) -> Result<()> {
        let mut script = String::new();
        for (node, gateway) in [plan::GATEWAY_A, plan::GATEWAY_B].into_iter().enumerate() {
            for (port, switch) in [(Port::Lan, plan::SWITCH_LAN), (Port::Wan, plan::SWITCH_WAN)] {
                let end = (gateway, port.interface(), Some(mac(node, port)));
                script +=
                    &cable(port.index(node, self.wiring), end, (switch, SWITCH_PORTS[node], None));
            }
            if self.wiring == HaWiring::Box {
                let end = (gateway, plan::HA, Some(mac(node, Port::Ha)));
                let index = Port::Ha.index(node, self.wiring);
                script += &cable(index, end, (plan::SWITCH_HA, SWITCH_PORTS[node], None));
            }
        }
        if self.wiring == HaWiring::Direct {
            let [a, b] = [0, 1].map(|node| Some(mac(node, Port::Ha)));
            let index = Port::Ha.index(0, self.wiring);
            script += &cable(index, (plan::GATEWAY_A, plan::HA, a), (plan::GATEWAY_B, plan::HA, b));
        }
        let host = |name| (name, plan::HOST_INTERFACE, None);
        script += &cable(CLIENT_INDEX, host(plan::CLIENT), (plan::SWITCH_LAN, "host", None));
        script += &cable(SERVER_INDEX, host(plan::SERVER), (plan::SWITCH_WAN, "host", None));
        command_outside("ip", &["-batch", "-"], &script)?;
        for switch in [Some(&self.lan), Some(&self.wan), self.ha.as_ref()].into_iter().flatten() {
            join_ports(&switch.machine, switch.machine.name() != plan::SWITCH_HA)?;
        }
        Ok(())
    }

    fn settle_hosts(&self, lan_prefix: u8) -> Result<()> {
        let host = |prefix: u8, own, own6, vip, vip6| {
            let dev = plan::HOST_INTERFACE;
            format!(
                "link set lo up\nlink set {dev} up\naddr add {own}/{prefix} dev {dev}\n\
                 addr add {own6}/64 dev {dev} nodad\nroute add default via {vip}\n\
                 route add default via {vip6}\n"
            )
        };
        for machine in [&self.client, &self.server] {
            machine.sysctl(&[
                ("ipv6/conf/default/accept_ra", "0"),
                ("ipv6/conf/eth0/accept_ra", "0"),
            ])?;
        }
        let client =
            host(lan_prefix, plan::CLIENT_IP, plan::CLIENT_IP6, plan::LAN_VIP, plan::LAN_VIP6);
        ip(&self.client, client)?;
        let server = host(24, plan::SERVER_IP, plan::SERVER_IP6, plan::WAN_VIP, plan::WAN_VIP6);
        ip(&self.server, server)
    }

    /// The switch that a gateway's port is plugged into, and the port's index there.
    pub fn far_end(&self, node: usize, port: Port) -> Option<(&Switch, u32)> {
        let index = port.index(node, self.wiring);
        match port {
            Port::Lan => Some((&self.lan, index)),
            Port::Wan => Some((&self.wan, index)),
            Port::Ha => self.ha.as_ref().map(|switch| (switch, index)),
        }
    }

    /// Keeps the server from hearing this gateway and the other way round, while both hear the
    /// other gateway and no cable is broken; or lets it hear both again.
    pub fn part_from_server(&self, node: Option<usize>) -> Result<()> {
        // Two ports that are isolated do not hear each other; all others hear both.
        let parted = node.map(|node| SWITCH_PORTS[node]);
        let write = move || {
            ["host", SWITCH_PORTS[0], SWITCH_PORTS[1]].iter().try_for_each(|port| {
                let isolated = parted.is_some_and(|parted| *port == "host" || *port == parted);
                let value = if isolated { "1" } else { "0" };
                std::fs::write(format!("/sys/class/net/{port}/brport/isolated"), value)
            })
        };
        self.wan.machine.run(write)?.doing("isolate the ports of a switch")
    }

    /// The server's cable, pulled at its switch or put back.
    pub fn server_cable(&self, up: bool) -> Result<()> {
        self.wan.ports.set(&[(SERVER_INDEX, up)]).doing("set the server's port")
    }

    /// Brings every switch port up, and lets the gateways hear each other; a gateway's
    /// own ends are its own to bring up.
    pub fn mend_cables(&self) -> Result<()> {
        for node in 0..2 {
            let ports = [Port::Ha, Port::Lan, Port::Wan];
            for (switch, index) in ports.into_iter().filter_map(|port| self.far_end(node, port)) {
                switch.ports.set(&[(index, true)]).doing("set a switch's port up")?;
            }
        }
        for switch in [&self.lan, &self.wan] {
            isolate_gateways(&switch.machine, false)?;
        }
        Ok(())
    }
}

/// Keeps the two gateways' ports of a switch from hearing each other; others hear both.
pub fn isolate_gateways(switch: &Worker, isolated: bool) -> Result<()> {
    let value = if isolated { "1" } else { "0" };
    let write = move || {
        SWITCH_PORTS.iter().try_for_each(|port| {
            std::fs::write(format!("/sys/class/net/{port}/brport/isolated"), value)
        })
    };
    switch.run(write)?.doing("isolate the ports of a switch")
}

/// The hardware address of a gateway's port.
pub fn mac(node: usize, port: Port) -> String {
    format!("02:00:00:00:0{}:{:02x}", ["a", "b"][node], port.index(node, HaWiring::Box))
}

/// Runs a batch of `ip` commands on a machine: one start for all of them.
pub fn ip(machine: &Worker, script: String) -> Result<()> {
    machine.command("ip", &["-batch", "-"], script).map(|_| ())
}

fn machine(name: &str) -> Result<Machine> {
    let worker = Worker::start(name)?;
    let links = Arc::new(LinkSocket::open(&worker)?);
    Ok(Machine { worker, links })
}

fn switch(name: &str) -> Result<Switch> {
    let machine = Worker::start(name)?;
    let ports = LinkSocket::open(&machine)?;
    Ok(Switch { machine, ports })
}

/// One end of a cable: namespace, name there, hardware address where it matters.
type End<'a> = (&'a str, &'a str, Option<String>);

fn cable(index: u32, one: End<'_>, other: End<'_>) -> String {
    let end = |(namespace, name, mac): End<'_>| {
        let address = mac.map(|mac| format!("address {mac} ")).unwrap_or_default();
        format!("name {name} index {index} {address}netns {namespace}")
    };
    format!("link add {} type veth peer {}\n", end(one), end(other))
}

fn join_ports(switch: &Worker, has_host: bool) -> Result<()> {
    let mut script = String::from(
        "link set lo up\nlink add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set br0 up\n",
    );
    for port in SWITCH_PORTS.into_iter().chain(has_host.then_some("host")) {
        script += &format!("link set dev {port} master br0 up group {POWER_GROUP}\n");
    }
    switch
        .sysctl(&[("ipv6/conf/default/disable_ipv6", "1"), ("ipv6/conf/all/disable_ipv6", "1")])?;
    ip(switch, script)
}

fn settle_gateway(gateway: &Machine) -> Result<()> {
    let group = |port: Port| format!("link set dev {} group {POWER_GROUP}\n", port.interface());
    ip(&gateway.worker, [Port::Lan, Port::Wan, Port::Ha].map(group).concat())?;
    gateway.worker.sysctl(&[
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/conf/default/accept_ra", "0"),
    ])
}

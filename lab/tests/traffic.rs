//! The probes against real kernels in fresh namespaces (root): a link is cut for
//! a known time, an address has one owner, then two, then another one.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use twinwall_core::time::Moment;
use twinwall_lab::clock::now;
use twinwall_lab::netns::{Namespace, Namespaces};
use twinwall_lab::plan::{HOST_INTERFACE, LAN_VIP, LAN_VIP6, SERVER_IP, SERVER_IP6};
use twinwall_lab::traffic::{
    Measured, ProbePlan, Probes, Side, StreamKind, StreamMeasured, TcpPlan, Window,
};

/// Tests that measure milliseconds run one at a time, whatever runs them.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // A test that failed leaves nothing half done behind this lock.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A namespace with a thread in it, whose path lets `ip` move links there.
struct Host {
    namespace: Arc<Namespace>,
    path: String,
    _stay: Sender<()>,
}

impl Host {
    fn new(name: &str) -> Host {
        let namespace = Arc::new(Namespace::create(name).unwrap());
        let (stay, end) = channel::<()>();
        let (tell, told) = channel();
        let inner = Arc::clone(&namespace);
        thread::spawn(move || {
            inner.enter().unwrap();
            // SAFETY: gettid takes nothing and cannot fail.
            let thread = unsafe { libc::gettid() };
            tell.send(format!("/proc/{}/task/{thread}/ns/net", std::process::id())).unwrap();
            // Ends when the host is dropped.
            end.recv().unwrap_err();
        });
        Host { namespace, path: told.recv().unwrap(), _stay: stay }
    }

    /// Runs `work` on a thread inside.
    fn inside(&self, work: impl FnOnce() + Send) {
        thread::scope(|scope| {
            let run = || {
                self.namespace.enter().unwrap();
                work();
            };
            scope.spawn(run).join().unwrap();
        });
    }

    fn run(&self, program: &str, line: &str) {
        self.inside(|| {
            let status = Command::new(program).args(line.split_whitespace()).status().unwrap();
            assert!(status.success(), "{program} {line}");
        });
    }

    /// Runs `ip` with each line of `script`.
    fn ip(&self, script: &str) {
        script.lines().for_each(|line| self.run("ip", line));
    }

    /// Runs many `ip` commands in one process.
    fn batch(&self, script: &str) {
        self.inside(|| {
            let mut ip = Command::new("ip");
            let mut child = ip.args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        });
    }

    fn forward(&self) {
        self.inside(|| {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        });
    }
}

fn cable(one: &Host, one_name: &str, other: &Host, other_name: &str) {
    one.ip(&format!(
        "link add {one_name} type veth peer name {other_name} netns {}
         link set {one_name} up",
        other.path
    ));
    other.ip(&format!("link set {other_name} up"));
}

/// Client, router with the VIPs, server.
struct Routed {
    router: Host,
    at: Namespaces,
    _alone: MutexGuard<'static, ()>,
    _hosts: [Host; 2],
}

fn routed() -> Routed {
    let alone = alone();
    let (client, router, server) = (Host::new("client"), Host::new("router"), Host::new("server"));
    cable(&client, HOST_INTERFACE, &router, "lan0");
    cable(&server, HOST_INTERFACE, &router, "wan0");
    client.ip("link set lo up
               addr add 10.1.0.100/24 dev eth0
               addr add fd01::100/64 dev eth0 nodad
               route add default via 10.1.0.1
               -6 route add default via fd01::1");
    server.ip("link set lo up
               addr add 10.2.0.100/24 dev eth0
               addr add fd02::100/64 dev eth0 nodad
               route add default via 10.2.0.1
               -6 route add default via fd02::1");
    router.ip("link set lo up
               addr add 10.1.0.1/24 dev lan0
               addr add fd01::1/64 dev lan0 nodad
               addr add 10.2.0.1/24 dev wan0
               addr add fd02::1/64 dev wan0 nodad");
    router.forward();
    let at =
        Namespaces { client: Arc::clone(&client.namespace), server: Arc::clone(&server.namespace) };
    Routed { router, at, _alone: alone, _hosts: [client, server] }
}

fn pause(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Starts `plan`, waits a quiet second, does `fault`, watches for `watch`.
fn measure_while(
    plan: &ProbePlan,
    at: &Namespaces,
    watch: Duration,
    fault: impl FnOnce(),
) -> Measured {
    let probes = Probes::start(plan, at).unwrap();
    // The first packets resolve neighbours.
    pause(300);
    let quiet_from = now();
    pause(1_000);
    let moment = now();
    fault();
    thread::sleep(watch.saturating_sub(now().since(moment)));
    measure(&probes, quiet_from, moment).unwrap()
}

fn measure(probes: &Probes, quiet_from: Moment, fault: Moment) -> io::Result<Measured> {
    probes.measure(&Window { quiet_from, fault, until: now() })
}

fn of(measured: &Measured, kind: StreamKind, ipv6: bool) -> &StreamMeasured {
    let fits = |one: &&StreamMeasured| one.kind == kind && one.target.is_ipv6() == ipv6;
    measured.streams.iter().find(fits).unwrap()
}

/// For this long nothing passes; routes and neighbours stay as they are.
const CUT: Duration = Duration::from_millis(100);

#[test]
fn a_cut_of_100_ms_is_measured_as_such() {
    let lab = routed();
    let mut took = Duration::ZERO;
    let measured = measure_while(&ProbePlan::default(), &lab.at, ms(1_500), || {
        let down = now();
        lab.router.run("tc", "qdisc add dev lan0 root blackhole");
        thread::sleep(CUT);
        lab.router.run("tc", "qdisc del dev lan0 root");
        took = now().since(down);
    });
    let slack = measured.floor + ms(5);
    assert!(measured.outage <= took + slack, "{took:?} {measured:#?}");
    assert!(measured.outage + slack >= CUT, "{took:?} {measured:#?}");
    for ipv6 in [false, true] {
        let stream = of(&measured, StreamKind::Routed, ipv6);
        assert!(
            stream.lost >= 90 && u128::from(stream.lost) <= took.as_millis() + 10,
            "{stream:?}"
        );
        assert_eq!(stream.lost_before, 0);
        assert!(stream.sent > 1_400, "{stream:?}");
    }
    assert!(measured.floor < ms(60), "{measured:#?}");
    assert_eq!(measured.two_answer, Duration::ZERO);
    assert_eq!(measured.tcp_broken, 0);
    assert!(measured.tcp_longest_stall.unwrap() >= CUT, "{measured:#?}");
    assert!(measured.vip_silence_ipv4.unwrap() + slack >= CUT);
    assert!(measured.vip_silence_ipv6.unwrap() + slack >= CUT);
}

#[test]
fn nothing_wrong_is_no_loss_at_10_000_a_second() {
    let lab = routed();
    let plan = ProbePlan { rate_per_s: 10_000, routed: vec![SERVER_IP], ..ProbePlan::default() };
    let measured = measure_while(&plan, &lab.at, ms(1_000), || {});
    assert_eq!(measured.lost, 0, "{measured:#?}");
    let sent = of(&measured, StreamKind::Routed, false).sent;
    assert!((8_000..=12_000).contains(&sent), "{measured:#?}");
    assert!(measured.answered_by.is_empty(), "{measured:#?}");
    assert_eq!(measured.tcp_broken, 0);
}

#[test]
fn a_connection_reset_is_a_broken_one() {
    let lab = routed();
    let plan = ProbePlan {
        routed: vec![SERVER_IP],
        tcp: Some(TcpPlan { server: SERVER_IP6, connections: 3, every: ms(20) }),
        ..ProbePlan::default()
    };
    let measured = measure_while(&plan, &lab.at, ms(500), || {
        // RST from the server's address: routed away to the router itself.
        lab.router.ip("-6 addr add fd02::100/128 dev lo nodad");
    });
    assert_eq!(measured.tcp_broken, 3, "{measured:#?}");
    assert_eq!(measured.tcp_longest_stall, None);
    assert_eq!(measured.lost, 0);
}

/// A client and two possible owners of the VIPs on one switch.
struct Shared {
    owners: [Host; 2],
    at: Namespaces,
    _alone: MutexGuard<'static, ()>,
    _hosts: [Host; 2],
}

fn shared() -> Shared {
    let alone = alone();
    let (client, switch) = (Host::new("client"), Host::new("switch"));
    let owners = [Host::new("one"), Host::new("two")];
    switch.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
               link set br0 up");
    let ends = [(&client, "port-c"), (&owners[0], "port-1"), (&owners[1], "port-2")];
    for (host, port) in ends {
        cable(host, HOST_INTERFACE, &switch, port);
        switch.ip(&format!("link set {port} master br0"));
    }
    client.ip("addr add 10.1.0.100/16 dev eth0
               addr add fd01::100/64 dev eth0 nodad");
    owners[0].ip("addr add 10.1.0.2/16 dev eth0");
    owners[1].ip("addr add 10.1.0.3/16 dev eth0");
    let at =
        Namespaces { client: Arc::clone(&client.namespace), server: Arc::clone(&client.namespace) };
    Shared { owners, at, _alone: alone, _hosts: [client, switch] }
}

fn only_resolve() -> ProbePlan {
    ProbePlan {
        routed: Vec::new(),
        pings: Vec::new(),
        tcp: None,
        resolve: vec![(Side::Client, LAN_VIP), (Side::Client, LAN_VIP6)],
        ..ProbePlan::default()
    }
}

const ADD: &str = "addr add 10.1.0.1/16 dev eth0
                   addr add fd01::1/64 dev eth0 nodad";
const DEL: &str = "addr del 10.1.0.1/16 dev eth0
                   addr del fd01::1/64 dev eth0";

#[test]
fn one_owner_is_never_two() {
    let lab = shared();
    lab.owners[0].ip(ADD);
    let measured = measure_while(&only_resolve(), &lab.at, ms(500), || {});
    assert_eq!(measured.two_answer, Duration::ZERO, "{measured:#?}");
    assert!(measured.answered_by.is_empty(), "{measured:#?}");
    for ipv6 in [false, true] {
        let stream = of(&measured, StreamKind::Resolve, ipv6);
        assert!(stream.sent >= 80 && stream.lost == 0, "{stream:?}");
    }
}

#[test]
fn two_owners_are_found_for_as_long_as_they_answer() {
    let lab = shared();
    lab.owners[0].ip(ADD);
    let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
    let measured = measure_while(&only_resolve(), &lab.at, ms(800), || {
        let begin = now();
        lab.owners[1].ip(ADD);
        let both = now();
        pause(200);
        least = now().since(both);
        lab.owners[1].ip(DEL);
        most = now().since(begin);
    });
    assert!(measured.two_answer + ms(15) >= least, "{least:?} {measured:#?}");
    assert!(measured.two_answer <= most + ms(15), "{most:?} {measured:#?}");
}

#[test]
fn a_move_names_the_new_owner_for_each_vip() {
    let lab = shared();
    lab.owners[0].ip(ADD);
    let measured = measure_while(&only_resolve(), &lab.at, ms(500), || {
        lab.owners[0].ip(DEL);
        lab.owners[1].ip(ADD);
    });
    assert_eq!(measured.two_answer, Duration::ZERO, "{measured:#?}");
    let vips: Vec<IpAddr> = measured.answered_by.iter().map(|(vip, _, _)| *vip).collect();
    assert_eq!(vips, [LAN_VIP, LAN_VIP6]);
    let macs: Vec<_> = measured.answered_by.iter().map(|(_, _, mac)| *mac).collect();
    assert_eq!(macs[0], macs[1]);
}

#[test]
fn the_last_of_300_vips_is_found() {
    let lab = shared();
    let vips: Vec<Ipv4Addr> =
        (0..300_u16).map(|n| Ipv4Addr::from(0x0a01_0100 + u32::from(n))).collect();
    let each = |verb: &str, these: &[Ipv4Addr]| {
        let line = |vip: &Ipv4Addr| format!("addr {verb} {vip}/32 dev eth0\n");
        these.iter().map(line).collect::<String>()
    };
    lab.owners[0].batch(&each("add", &vips));
    let plan = ProbePlan { all_vips: vips.clone(), ..only_resolve() };
    let mut took = Duration::ZERO;
    let measured = measure_while(&plan, &lab.at, ms(900), || {
        let begin = now();
        lab.owners[0].batch(&each("del", &vips));
        lab.owners[1].batch(&each("add", &vips[..299]));
        pause(150);
        lab.owners[1].batch(&each("add", &vips[299..]));
        took = now().since(begin);
    });
    assert_eq!(measured.vips_moved, 300, "{measured:#?}");
    let last = measured.per_vip_last.unwrap();
    assert!(last >= ms(150) && last <= took + ms(20), "{took:?} {last:?}");
    // With the last one missing there is no figure.
    let measured = measure_while(&plan, &lab.at, ms(600), || {
        lab.owners[1].batch(&each("del", &vips));
        lab.owners[0].batch(&each("add", &vips[..299]));
    });
    assert_eq!((measured.vips_moved, measured.per_vip_last), (299, None), "{measured:#?}");
}

#[test]
fn a_window_that_the_probes_did_not_see_is_refused() {
    let lab = shared();
    lab.owners[0].ip(ADD);
    let early = now();
    let probes = Probes::start(&only_resolve(), &lab.at).unwrap();
    let error = measure(&probes, early, now()).unwrap_err();
    assert!(error.to_string().contains("begins before the probes"), "{error}");
}

#[test]
fn a_log_that_is_full_is_an_error_and_no_figure() {
    let lab = shared();
    let plan = ProbePlan { longest: ms(50), ..only_resolve() };
    let probes = Probes::start(&plan, &lab.at).unwrap();
    let start = now();
    pause(200);
    let error = measure(&probes, start, start).unwrap_err();
    assert!(error.to_string().contains("logs are full"), "{error}");
}

//! What the parts of the replication cost on this machine: `cargo run --release -p
//! twinwall-flows --example figures [FLOWS]`, as root. It uses two namespaces of its own,
//! which end with it.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use twinwall_flows::digest::State;
use twinwall_flows::eligible::{Eligible, Filter};
use twinwall_flows::flow::{Flow, Protocol, Status, Tcp, tcp_state};
use twinwall_flows::kernel::{Conntrack, Event, MirrorDrive, SourceDrive};
use twinwall_flows::ledger::Ledger;
use twinwall_flows::message::{Message, Record, decode_message};
use twinwall_flows::mirror::Mirror;
use twinwall_flows::source::{Settings, Source};
use twinwall_flows::tuple::{Ends, Tuple, Zone, protocol};
use twinwall_flows::work::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let flows: Vec<Flow> = (0..count).map(numbered).collect();
    println!("{count} flows");
    pure(&flows);
    let (first, second) = (Space::new()?, Space::new()?);
    kernel(&first, &flows)?;
    pair(&first, &second, count)?;
    Ok(())
}

/// A TCP connection behind source NAT.
fn numbered(number: u32) -> Flow {
    let source = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | number >> 8));
    let ends = Ends::Ports { source: 1024 + (number & 0xff) as u16, destination: 443 };
    let destination = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let original = Tuple { source, destination, protocol: protocol::TCP, ends };
    let mut reply = original.inverse();
    reply.destination = IpAddr::V4(Ipv4Addr::from_bits(0xcb00_7100 | number >> 16));
    reply.ends = Ends::Ports { source: 443, destination: (number & 0xffff) as u16 };
    Flow {
        original,
        reply,
        zone: Zone::default(),
        status: Status(Status::SEEN_REPLY | Status::ASSURED | Status::SRC_NAT | Status::CONFIRMED),
        timeout: Some(432_000),
        mark: 0,
        protocol: Protocol::Tcp(Tcp { state: tcp_state::ESTABLISHED, ..Tcp::default() }),
        labels: None,
        helper: None,
        adjustments: None,
    }
}

/// Says how long `what` took, in all and for one of `count`.
fn time<T>(what: &str, count: usize, work: impl FnOnce() -> T) -> T {
    let (start, cpu) = (Instant::now(), thread_cpu());
    let done = work();
    let (took, cpu) = (start.elapsed(), thread_cpu() - cpu);
    let each = cpu.as_nanos() / count.max(1) as u128;
    println!("{what:40} {took:>10.1?} wall {cpu:>10.1?} CPU {each:>6} ns each");
    done
}

fn pure(flows: &[Flow]) {
    let count = flows.len();
    let states = time("key and digest", count, || {
        flows.iter().map(|flow| (flow.key(), State::of(&flow.key(), flow))).collect::<Vec<_>>()
    });
    let mut ledger = Ledger::new(count);
    time("ledger: put", count, || {
        for (key, state) in &states {
            ledger.put(*key, *state);
        }
    });
    println!("{:40} {:>10} kB", "ledger: memory", ledger.memory_bytes() / 1024);
    time("ledger: flows not touched in a round", count, || {
        ledger.begin_round();
        ledger.untouched(&twinwall_flows::digest::BucketSet::all()).len()
    });
    time("ledger: remove", count, || {
        for (key, _) in &states {
            ledger.remove(key);
        }
    });
    let messages: Vec<Message> = flows
        .chunks(1000)
        .map(|some| Message::Batch {
            sequence: 1,
            records: some.iter().cloned().map(Record::Upsert).collect(),
        })
        .collect();
    let encoded = time("messages: encode", count, || {
        messages.iter().map(Message::encode).collect::<Vec<_>>()
    });
    let bytes: usize = encoded.iter().map(Vec::len).sum();
    println!("{:40} {:>10} bytes", "messages: one flow", bytes / count.max(1));
    time("messages: decode", count, || {
        encoded.iter().filter(|bytes| decode_message(bytes).is_ok()).count()
    });
}

fn kernel(space: &Space, flows: &[Flow]) -> std::io::Result<()> {
    let count = flows.len();
    let mut conntrack = space.inside(Conntrack::open)?;
    let creations: Vec<Write> = flows.iter().cloned().map(Write::Create).collect();
    let outcomes = time("kernel: create", count, || conntrack.write(&creations))?;
    let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    println!("{:40} {refused:>10}", "kernel: refused");
    let updates: Vec<Write> = flows.iter().cloned().map(Write::Update).collect();
    time("kernel: update", count, || conntrack.write(&updates))?;
    let mut found = 0;
    time("kernel: dump and parse", count, || {
        let mut dump = space.inside(Conntrack::dump)?;
        while dump.next(&mut |_| found += 1)? {}
        std::io::Result::Ok(())
    })?;
    println!("{:40} {found:>10}", "kernel: flows found");
    Ok(())
}

fn pair(first: &Space, second: &Space, count: u32) -> Result<(), Box<dyn std::error::Error>> {
    let mut two = Two { first, second, source: source(first)?, mirror: mirror(second)? };
    two.settle("resync: mirror empty")?;
    println!(
        "{:40} {:?}",
        "resync: says the source",
        two.source.source.view(Instant::now()).last_resync
    );
    two.source = source(first)?;
    two.settle("resync: source restarted")?;
    two.source = source(first)?;
    two.mirror = mirror(second)?;
    two.settle("resync: both restarted")?;
    // New flows as events, in small portions, as they come from a busy kernel.
    let fresh: Vec<Event> = (count..count + 20_000).map(|n| Event::Seen(numbered(n))).collect();
    time("events: source alone", fresh.len(), || {
        for some in fresh.chunks(25) {
            let now = Instant::now();
            some.iter().for_each(|event| two.source.source.event(now, event));
        }
    });
    let (source, mirror) = two.exchange()?;
    println!(
        "{:40} source {source:.1?}, mirror {mirror:.1?} CPU",
        "events: sent, written, acknowledged"
    );
    let view = two.mirror.mirror.view(Instant::now());
    println!(
        "{:40} {:>10} kB for {} flows",
        "memory of the mirror",
        view.memory_bytes / 1024,
        view.flows
    );
    Ok(())
}

fn settings() -> Settings {
    Settings { most: 1 << 20, eligible: Eligible::new([], Filter::default()) }
}

fn source(space: &Space) -> std::io::Result<SourceDrive> {
    let now = Instant::now();
    let mut drive =
        space.inside(|| SourceDrive::open(Source::new(settings(), None, now), &[], now))?;
    drive.source.connected(now);
    Ok(drive)
}

fn mirror(space: &Space) -> std::io::Result<MirrorDrive> {
    let now = Instant::now();
    let mut drive = space.inside(|| MirrorDrive::open(Mirror::new(settings(), now)))?;
    drive.mirror.connected(now);
    Ok(drive)
}

/// A source and a mirror in their namespaces.
struct Two<'a> {
    first: &'a Space,
    second: &'a Space,
    source: SourceDrive,
    mirror: MirrorDrive,
}

impl Two<'_> {
    /// Goes on until both say that they hold the same; says what it took.
    fn settle(&mut self, what: &str) -> Result<(), Box<dyn std::error::Error>> {
        self.mirror.mirror.connected(Instant::now());
        let start = Instant::now();
        let mut cost = (Duration::ZERO, Duration::ZERO);
        while !(self.source.source.complete() && self.mirror.mirror.complete()) {
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!("not complete: {:?}", self.source.source.view(start)).into());
            }
            let (source, mirror) = self.exchange()?;
            cost = (cost.0 + source, cost.1 + mirror);
        }
        let (source, mirror) = cost;
        let took = start.elapsed();
        println!("{what:40} {took:>10.1?} wall, source {source:.1?}, mirror {mirror:.1?} CPU");
        Ok(())
    }

    /// One turn of both; CPU time of each.
    fn exchange(&mut self) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
        let mut cost = (Duration::ZERO, Duration::ZERO);
        let (source, mirror) = (&mut self.source, &mut self.mirror);
        self.first.inside(|| spent(&mut cost.0, || source.turn(Instant::now())))?;
        self.second.inside(|| spent(&mut cost.1, || mirror.turn(Instant::now())))?;
        while let Some(message) = spent(&mut cost.0, || source.source.poll(Instant::now())) {
            spent(&mut cost.1, || mirror.receive(Instant::now(), &message))?;
            while let Some(answer) = mirror.mirror.poll() {
                source.source.receive(Instant::now(), &answer)?;
            }
        }
        while let Some(answer) = mirror.mirror.poll() {
            source.source.receive(Instant::now(), &answer)?;
        }
        Ok(cost)
    }
}

/// Adds the CPU time of `work` to `sum`.
fn spent<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let before = thread_cpu();
    let done = work();
    *sum += thread_cpu() - before;
    done
}

/// A network namespace; it ends with this value.
struct Space(File);

impl Space {
    fn new() -> std::io::Result<Space> {
        let back = here()?;
        // SAFETY: no pointers; concerns this thread only.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        let space = Space(here()?);
        enter(&back);
        Ok(space)
    }

    fn inside<T>(&self, what: impl FnOnce() -> T) -> T {
        let back = here().expect("the thread has a namespace");
        enter(&self.0);
        let done = what();
        enter(&back);
        done
    }
}

fn here() -> std::io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

fn enter(space: &File) {
    // SAFETY: no pointers; the descriptor is open.
    let result = unsafe { libc::setns(space.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(result, 0, "setns: {}", std::io::Error::last_os_error());
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `time`, which outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

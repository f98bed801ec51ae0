//! The running probes: opens sockets in the namespaces, starts the threads,
//! stops them when dropped. Called by scenarios.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twinwall_core::time::Moment;

use super::clock::spacing;
use super::plan::{ProbePlan, Side, StreamKind};
use super::stream::{Stream, StreamOrder, receive_loop, send_loop};
use super::sweep::{Sweep, sweep_loop};
use super::tcp::{Connection, connections_loop};
use super::{ECHO_PORT, echo};
use crate::clock::now;
use crate::netns::{Namespace, Namespaces};
use crate::plan::HOST_INTERFACE;

/// Probe threads keep little on the stack, and every locked page counts.
const STACK_BYTES: usize = 256 << 10;
/// The sweep's tag in its frames; streams count from 0.
const SWEEP_TAG: u8 = 0xff;
/// How long the first answers for all of the swept VIPs may take.
const SWEEP_READY: Duration = Duration::from_secs(10);

/// Probes under way. Dropping it ends them.
pub struct Probes {
    pub(super) streams: Vec<(Side, Arc<Stream>)>,
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) sweep: Option<Arc<Sweep>>,
    pub(super) started: Moment,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Probes {
    /// Starts the server and all probes of `plan`. The pair must serve already
    /// when the plan has TCP connections or swept VIPs.
    pub fn start(plan: &ProbePlan, at: &Namespaces) -> io::Result<Probes> {
        plan.check()?;
        let mut probes = Probes {
            streams: Vec::new(),
            connections: Vec::new(),
            sweep: None,
            started: now(),
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        probes.start_server(plan, &at.server)?;
        probes.start_connections(plan, &at.client)?;
        probes.start_sweep(plan, &at.client)?;
        probes.start_streams(plan, at)?;
        probes.started = now();
        Ok(probes)
    }

    fn start_server(&mut self, plan: &ProbePlan, at: &Arc<Namespace>) -> io::Result<()> {
        let routed = plan.routed.clone();
        let tcp = plan.tcp;
        let (udp, tcp): (Vec<UdpSocket>, Option<TcpListener>) = inside(at, move || {
            let udp =
                |address: &std::net::IpAddr| echo::open_udp(SocketAddr::new(*address, ECHO_PORT));
            let tcp = tcp.map(|tcp| echo::open_tcp(SocketAddr::new(tcp.server, ECHO_PORT)));
            Ok((routed.iter().map(udp).collect::<io::Result<_>>()?, tcp.transpose()?))
        })?;
        for socket in udp {
            self.spawn("udp-echo", move |stop| echo::serve_udp(&socket, stop))?;
        }
        if let Some(listener) = tcp {
            self.spawn("tcp-echo", move |stop| echo::serve_tcp(&listener, stop))?;
        }
        Ok(())
    }

    fn start_connections(&mut self, plan: &ProbePlan, at: &Arc<Namespace>) -> io::Result<()> {
        let Some(tcp) = plan.tcp else { return Ok(()) };
        let to = SocketAddr::new(tcp.server, ECHO_PORT);
        let capacity = plan.capacity(tcp.every);
        self.connections = inside(at, move || {
            (0..tcp.connections).map(|_| Connection::open(to, capacity).map(Arc::new)).collect()
        })?;
        let connections = self.connections.clone();
        self.spawn("tcp-probe", move |stop| connections_loop(&connections, tcp.every, stop))
    }

    fn start_sweep(&mut self, plan: &ProbePlan, at: &Arc<Namespace>) -> io::Result<()> {
        if plan.all_vips.is_empty() {
            return Ok(());
        }
        let targets = plan.all_vips.clone();
        let open = move || Sweep::open(&targets, HOST_INTERFACE, SWEEP_TAG);
        let sweep = Arc::new(inside(at, open)?);
        self.sweep = Some(Arc::clone(&sweep));
        let swept = Arc::clone(&sweep);
        self.spawn("vip-sweep", move |stop| sweep_loop(&swept, stop))?;
        let deadline = now() + SWEEP_READY;
        while !sweep.is_complete() {
            if now() > deadline {
                let text = format!("not all of {} VIPs are answered for", plan.all_vips.len());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn start_streams(&mut self, plan: &ProbePlan, at: &Namespaces) -> io::Result<()> {
        let orders = orders(plan);
        for (side, namespace) in [(Side::Client, &at.client), (Side::Server, &at.server)] {
            let wanted: Vec<StreamOrder> =
                orders.iter().filter(|(from, _)| *from == side).map(|(_, order)| *order).collect();
            if wanted.is_empty() {
                continue;
            }
            let open =
                move || wanted.iter().map(|order| Stream::open(order).map(Arc::new)).collect();
            let streams: Vec<Arc<Stream>> = inside(namespace, open)?;
            self.streams.extend(streams.iter().map(|stream| (side, Arc::clone(stream))));
            let received = streams.clone();
            self.spawn("probe-receive", move |stop| receive_loop(&received, stop))?;
            self.spawn("probe-send", move |stop| send_loop(&streams, stop))?;
        }
        Ok(())
    }

    fn spawn(
        &mut self,
        name: &str,
        body: impl FnOnce(&AtomicBool) + Send + 'static,
    ) -> io::Result<()> {
        let stop = Arc::clone(&self.stop);
        let builder = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
        self.threads.push(builder.spawn(move || body(&stop))?);
        Ok(())
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has printed why; nothing is left to be stopped.
            let _ = thread.join();
        }
    }
}

/// One order for each stream of the plan, with tags counting from 0.
fn orders(plan: &ProbePlan) -> Vec<(Side, StreamOrder)> {
    let routed = plan
        .routed
        .iter()
        .map(|target| (Side::Client, StreamKind::Routed, *target, spacing(plan.rate_per_s)));
    let pings =
        plan.pings.iter().map(|(side, target)| (*side, StreamKind::Ping, *target, plan.ping_every));
    let resolve = plan
        .resolve
        .iter()
        .map(|(side, target)| (*side, StreamKind::Resolve, *target, plan.resolve_every));
    let all = routed.chain(pings).chain(resolve).zip(0_u8..);
    all.map(|((side, kind, target, every), tag)| {
        let capacity = plan.capacity(every);
        (side, StreamOrder { kind, target, every, tag, interface: HOST_INTERFACE, capacity })
    })
    .collect()
}

/// Runs `open` on a short-lived thread inside `namespace`; sockets that it opens
/// stay there whoever uses them later.
pub(super) fn inside<T: Send + 'static>(
    namespace: &Arc<Namespace>,
    open: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let namespace = Arc::clone(namespace);
    let thread = thread::spawn(move || {
        namespace.enter()?;
        open()
    });
    thread.join().map_err(|_| io::Error::other("a probe's set-up thread panicked"))?
}

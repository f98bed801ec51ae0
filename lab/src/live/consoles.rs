//! A way for a person's browser from this machine's loopback to both gateways' consoles: two
//! sockets are opened outside of the lab's namespaces, where the browser is, and what comes to
//! them goes on to the gateway behind each. Bytes only: TLS is between browser and console.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Doing, Result};
use crate::gateway::Gateway;
use crate::worker::Worker;

/// Names the descriptors of the sockets for the inner process.
const DOORS: &str = "TWINWALL_LAB_DOORS";
/// Where a browser finds them: a host each, because cookies do not tell ports apart.
const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2)];
const PORT: u16 = 8443;
/// Connections at a time through both doors.
const MAX_CONNECTIONS: usize = 128;
/// For whoever looks at the lab.
const NAME: &str = "admin";
const PASSWORD: &str = "twin gateways lab";

/// The sockets, outside.
pub struct Doors(Vec<TcpListener>);

impl Doors {
    /// Opens them; none where others have the port.
    pub fn open() -> Doors {
        let opened = HOSTS.map(|host| TcpListener::bind((host, PORT)));
        let opened: io::Result<Vec<TcpListener>> = opened.into_iter().collect();
        Doors(opened.unwrap_or_else(|cause| {
            eprintln!("the consoles are not shown: port {PORT} of the loopback: {cause}");
            Vec::new()
        }))
    }

    /// What the inner process inherits, and the variable that says so.
    pub fn inherited(&self) -> (Vec<RawFd>, (&'static str, String)) {
        let fds: Vec<RawFd> = self.0.iter().map(AsRawFd::as_raw_fd).collect();
        let text: Vec<String> = fds.iter().map(ToString::to_string).collect();
        (fds, (DOORS, text.join(",")))
    }
}

/// Inside: makes an account and opens the way; says where, or nothing where there is none.
pub(super) fn open(gateways: &[Gateway; 2]) -> Result<Option<String>> {
    let Some(appliance) = gateways[0].appliance() else { return Ok(None) };
    let doors = std::env::var(DOORS).unwrap_or_default();
    let fds: Vec<RawFd> = doors.split(',').filter_map(|fd| fd.parse().ok()).collect();
    if fds.len() != gateways.len() {
        return Ok(None);
    }
    let program = appliance.program.to_string_lossy().into_owned();
    let arguments = ["account", "add", NAME, "--role", "administrator"];
    let worker = &gateways[0].machine.worker;
    worker.command(&program, &arguments, format!("{PASSWORD}\n"))?;
    let places = Arc::new(AtomicUsize::new(0));
    for (fd, gateway) in fds.into_iter().zip(gateways) {
        // SAFETY: the outer process passed this descriptor for us alone, and it is used once.
        let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let (worker, places) = (gateway.machine.worker.clone(), Arc::clone(&places));
        let thread = thread::Builder::new().name("door".to_owned());
        thread.spawn(move || serve(&listener, &worker, &places)).doing("start a thread")?;
    }
    let [a, b] = HOSTS.map(|host| format!("https://{host}:{PORT}"));
    Ok(Some(format!("consoles: {a} and {b}, as {NAME} with '{PASSWORD}'")))
}

fn serve(listener: &TcpListener, worker: &Worker, places: &Arc<AtomicUsize>) {
    for outside in listener.incoming().flatten() {
        if places.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            places.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let console = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        // A gateway without power refuses at once.
        let inside = worker.run(move || TcpStream::connect(console));
        let places = Arc::clone(places);
        thread::spawn(move || {
            if let Ok(Ok(inside)) = inside {
                both_ways(&outside, &inside);
            }
            places.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn both_ways(outside: &TcpStream, inside: &TcpStream) {
    let one_way = |mut from: &TcpStream, mut to: &TcpStream| {
        // Whoever breaks off ends both ways; nobody here has to know why.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    };
    thread::scope(|scope| {
        scope.spawn(|| one_way(outside, inside));
        one_way(inside, outside);
    });
}

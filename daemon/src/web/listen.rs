//! Accepts connections, speaks TLS and HTTP on them, and ends what is too slow, too large or
//! too many. Never serves whoever comes over the HA link: that is the pair's alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use twinwall_core::config::Prefix;

use super::connections::{Connections, Place};
use super::rate::visitor;
use super::worded::{MAX_HANDED_OVER, MAX_HEAD, Worded};
use crate::agent::netconf::live;

/// How long a visitor may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long for the head of a request, and between two of them on one connection.
const HEAD: Duration = Duration::from_secs(15);
/// Requests at once on a connection of HTTP/2.
const STREAMS: u32 = 32;
/// What a request may have on its way on HTTP/2, in bytes.
const WINDOW: u32 = 64 << 10;
/// Between two looks whether a silent HTTP/2 visitor is still there, and how long it has for
/// an answer.
const ALIVE: Duration = Duration::from_secs(20);
/// After a connection could not be accepted: the machine is out of files for a moment.
const BREATHE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// How long what was read of the HA link's addresses is good.
const FRESH: Duration = Duration::from_secs(2);

/// Both ends of a visitor's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// The visitor's address.
    pub(super) visitor: IpAddr,
    /// The address of this node to which the visitor came.
    pub(super) own: SocketAddr,
}

/// What serves a connection.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) connections: Connections,
    pub(super) ha_link: Arc<HaLink>,
}

/// Opens a socket at this address; the unspecified one of IPv6 stands for both families.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    // Also for an address of IPv4, so that the interface of each visitor is known.
    let wide = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP));
    let (socket, address) = match (wide, address) {
        (Ok(socket), SocketAddr::V4(four)) => {
            socket.set_only_v6(false)?;
            (socket, SocketAddr::from((four.ip().to_ipv6_mapped(), four.port())))
        }
        (Ok(socket), SocketAddr::V6(six)) => {
            socket.set_only_v6(!six.ip().is_unspecified())?;
            (socket, address)
        }
        // A kernel without IPv6.
        (Err(_), address) => {
            let address = match address.ip().is_unspecified() {
                true => SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())),
                false => address,
            };
            (Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?, address)
        }
    };
    socket.set_reuse_address(true)?;
    // A virtual IP that is not here yet, or an address that the network brings later.
    socket.set_freebind_v4(true).or_else(|_| socket.set_freebind_v6(true))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Accepts for as long as it is polled.
pub(super) async fn accept(listener: TcpListener, serving: Serving) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Ok(own) = stream.local_addr() else { continue };
                let own = SocketAddr::new(own.ip().to_canonical(), own.port());
                let visitor_at = peer.ip().to_canonical();
                if serving.ha_link.holds(own.ip(), visitor_at, arrived(&stream, peer)) {
                    continue;
                }
                let Some(place) = serving.connections.take(visitor(visitor_at)) else { continue };
                let ends = Ends { visitor: visitor_at, own };
                tokio::spawn(connection(stream, ends, serving.clone(), place));
            }
            Err(error) => {
                eprintln!("twinwall web: accepting a connection: {error}");
                tokio::time::sleep(BREATHE).await;
            }
        }
    }
}

/// The interface over which a connection came: the kernel notes it at an accepted socket of
/// IPv6, as the one for its multicast. Else what the visitor's link-local address says.
fn arrived(stream: &TcpStream, peer: SocketAddr) -> [u32; 2] {
    let noted = SockRef::from(stream).multicast_if_v6().unwrap_or_default();
    let scope = match peer {
        SocketAddr::V6(peer) => peer.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    [noted, scope]
}

async fn connection(stream: TcpStream, ends: Ends, serving: Serving, _place: Place) {
    // A page is many small writes that shall not wait for each other.
    let _ = stream.set_nodelay(true);
    let acceptor = TlsAcceptor::from(serving.tls);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let router = serving.router;
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(ends));
        TowerToHyperService::new(router.clone()).call(request)
    });
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MAX_HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(ALIVE)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 4)
        .max_header_list_size(u32::try_from(MAX_HANDED_OVER).unwrap_or(u32::MAX))
        .max_send_buf_size(WINDOW as usize);
    // What breaks a connection is the visitor's to notice, and takes nothing along.
    let _ = http.serve_connection(TokioIo::new(Worded::of(stream)), service).await;
}

/// The interface whose visitors are not served.
#[derive(Default)]
pub(super) struct HaLink(Mutex<Known>);

#[derive(Default)]
struct Known {
    interface: Option<String>,
    index: Option<u32>,
    prefixes: Vec<Prefix>,
    read: Option<Instant>,
}

impl HaLink {
    /// It is this one from now on.
    pub(super) fn set(&self, interface: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.interface != interface {
            *known = Known { interface, ..Known::default() };
        }
    }

    /// Whether a connection between these addresses goes over it: to an address that it has,
    /// from one of its network, or from whoever came over it by a route.
    fn holds(&self, own: IpAddr, peer: IpAddr, arrived: [u32; 2]) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(interface) = known.interface.clone() else { return false };
        if known.read.is_none_or(|at| at.elapsed() >= FRESH) {
            known.prefixes = live::held(&interface).unwrap_or_default();
            known.index = live::index(&interface).ok();
            known.read = Some(Instant::now());
        }
        known.index.is_some_and(|index| arrived.contains(&index))
            || known.prefixes.iter().any(|prefix| prefix.address == own || within(prefix, peer))
    }
}

fn within(prefix: &Prefix, address: IpAddr) -> bool {
    let same = |one: u128, other: u128, bits: u32, width: u32| {
        bits == 0 || (one ^ other) >> (width - bits.min(width)) == 0
    };
    let bits = u32::from(prefix.length);
    match (prefix.address, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            same(one.to_bits().into(), other.to_bits().into(), bits, 32)
        }
        // Every interface has the network of link-local addresses.
        (IpAddr::V6(one), IpAddr::V6(_)) if one.is_unicast_link_local() => false,
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), bits, 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn at_every_address_the_kernel_notes_over_which_interface_a_visitor_came() {
        let loopback = live::index("lo").expect("there is one");
        for (own, visited) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ] {
            let listener = bind(own.parse().expect("an address")).expect(own);
            let port = listener.local_addr().expect("a port").port();
            let visited: IpAddr = visited.parse().expect("an address");
            let _visitor = TcpStream::connect((visited, port)).await.expect("a connection");
            let (stream, peer) = listener.accept().await.expect("a visitor");
            assert_eq!(peer.ip().to_canonical(), visited);
            assert_eq!(arrived(&stream, peer)[0], loopback, "{own} at {visited}");
        }
    }

    #[test]
    fn who_comes_over_the_ha_link_is_known_by_either_end() {
        let prefix = |text: &str, length| Prefix { address: text.parse().expect("one"), length };
        let known = Known {
            interface: Some("ha0".to_owned()),
            index: Some(7),
            prefixes: vec![prefix("10.9.0.1", 30), prefix("fe80::1", 64), prefix("fd09::1", 64)],
            read: Some(Instant::now()),
        };
        let link = HaLink(Mutex::new(known));
        let holds = |own: &str, peer: &str| {
            link.holds(own.parse().expect("one"), peer.parse().expect("one"), [0, 3])
        };
        assert!(holds("10.9.0.1", "192.0.2.7") && holds("fe80::1", "fe80::9"));
        assert!(holds("10.1.0.2", "10.9.0.2") && holds("fd01::1", "fd09::2"));
        assert!(!holds("10.1.0.2", "10.1.0.77") && !holds("10.1.0.2", "10.9.0.4"));
        assert!(!holds("fe80::5", "fe80::9"), "link-local of another interface");
        let (own, peer) = ("fd01::2".parse().expect("one"), "fe80::9".parse().expect("one"));
        assert!(link.holds(own, peer, [0, 7]) && link.holds(own, peer, [7, 0]), "by a route");
        assert!(!link.holds(own, peer, [3, 3]));
        let link = HaLink::default();
        assert!(!link.holds(IpAddr::from([10, 9, 0, 1]), IpAddr::from([10, 9, 0, 2]), [0, 0]));
    }
}

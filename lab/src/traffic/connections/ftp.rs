//! An FTP session in active mode (RFC 959): the client says where it listens, the server connects
//! there. The pair must read along: behind NAT it rewrites the address, which makes the line
//! longer or shorter, and it must expect the connection. Both ends are played here.
//!
//! Called by [`super::Connections`]: one transfer runs through the fault, a second one was
//! announced before it and is begun after it, a third one is announced after it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use super::open::{dial, quick};
use super::seen::FtpSeen;
use super::wire::{Ends, Line, SMALL_BYTES};
use super::{Kind, wire};
use crate::netns::{Namespace, Namespaces};
use crate::plan;
use crate::traffic::inside;
use crate::traffic::socket::wait_readable;

/// Where packet filters look for it.
pub(super) const PORT: u16 = 21;
/// Each line, and each connection, is there within this.
const WITHIN: Duration = Duration::from_secs(3);

/// A control connection, and where the client waits for a connection.
pub(super) struct Session {
    server_at: Arc<Namespace>,
    client_at: Arc<Namespace>,
    client: BufReader<TcpStream>,
    server: BufReader<TcpStream>,
    /// Announced, and as the server read it.
    announced: Option<(TcpListener, SocketAddr)>,
}

impl Session {
    /// Signs in, begins a transfer, and announces the next one.
    pub(super) fn begin(at: &Namespaces, capacity: usize) -> io::Result<(Session, Ends)> {
        let address = SocketAddr::new(plan::SERVER_IP, PORT);
        let listener = inside(&at.server, move || TcpListener::bind(address))?;
        let client = inside(&at.client, move || dial(address))?;
        let (server, _) = listener.accept()?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(WITHIN))?;
        }
        let mut session = Session {
            server_at: Arc::clone(&at.server),
            client_at: Arc::clone(&at.client),
            client: BufReader::new(client),
            server: BufReader::new(server),
            announced: None,
        };
        session.ask("USER lab", "331 password, please")?;
        session.ask("PASS lab", "230 welcome")?;
        session.announce()?;
        let (client, server) = session.transfer()?;
        session.announce()?;
        let line = Line::new(Kind::Transfer, capacity);
        let plugs = [quick(client)?, quick(server)?];
        let mut sends = [false; 2];
        sends[wire::BACK] = true;
        Ok((session, Ends::new(line, plugs, sends, SMALL_BYTES)))
    }

    /// After a fault: does the session still work, and both ways to a new transfer?
    pub(super) fn try_out(&mut self) -> FtpSeen {
        let control = self.ask("NOOP", "200 still here").is_ok();
        let announced_before = control && self.transfer().is_ok();
        let announced_after = control && self.announce().and_then(|()| self.transfer()).is_ok();
        FtpSeen { control, announced_before, announced_after }
    }

    /// One command and its answer; what the server read.
    fn ask(&mut self, command: &str, answer: &str) -> io::Result<String> {
        self.exchange(command, answer)
            .map_err(|error| io::Error::new(error.kind(), format!("FTP, '{command}': {error}")))
    }

    fn exchange(&mut self, command: &str, answer: &str) -> io::Result<String> {
        // Each in one packet: a helper takes no half of a line.
        self.client.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        let read = line(&mut self.server)?;
        self.server.get_mut().write_all(format!("{answer}\r\n").as_bytes())?;
        line(&mut self.client)?;
        Ok(read)
    }

    /// `PORT`: the client listens, and says where.
    fn announce(&mut self) -> io::Result<()> {
        let address = SocketAddr::new(plan::CLIENT_IP, 0);
        let listener = inside(&self.client_at, move || TcpListener::bind(address))?;
        listener.set_nonblocking(true)?;
        let (IpAddr::V4(host), port) = (plan::CLIENT_IP, listener.local_addr()?.port()) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let read = self.ask(&format!("PORT {}", numbers(host, port)), "200 I will come there")?;
        let there = read.strip_prefix("PORT ").and_then(address_in).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the FTP server read '{read}'"))
        })?;
        self.announced = Some((listener, there));
        Ok(())
    }

    /// `RETR`: the server connects to where the client said.
    fn transfer(&mut self) -> io::Result<(TcpStream, TcpStream)> {
        let nothing = || io::Error::new(io::ErrorKind::NotConnected, "nothing was announced");
        let (listener, there) = self.announced.take().ok_or_else(nothing)?;
        self.ask("RETR film", "150 here it comes")?;
        let opened = inside(&self.server_at, move || TcpStream::connect_timeout(&there, WITHIN))?;
        // The other end has its answer; this one may still wait for the last packet.
        let readable = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        wait_readable(&mut [readable], WITHIN);
        let (accepted, _) = listener.accept()?;
        Ok((accepted, opened))
    }
}

fn line(from: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    match from.read_line(&mut text)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(text.trim_end().to_owned()),
    }
}

/// h1,h2,h3,h4,p1,p2
fn numbers(host: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = host.octets();
    format!("{a},{b},{c},{d},{},{}", port >> 8, port & 0xff)
}

fn address_in(text: &str) -> Option<SocketAddr> {
    let numbers: Option<Vec<u8>> = text.split(',').map(|number| number.parse().ok()).collect();
    let [a, b, c, d, high, low] = numbers?.try_into().ok()?;
    Some(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_read_again() {
        let text = numbers(Ipv4Addr::new(10, 1, 0, 100), 40_001);
        assert_eq!(text, "10,1,0,100,156,65");
        assert_eq!(address_in(&text), Some(([10, 1, 0, 100], 40_001).into()));
        assert_eq!(address_in("10,1,0,100,156"), None);
        assert_eq!(address_in("10,1,0,100,156,256"), None);
    }
}

//! Connections to targets: a name is looked up, its addresses are tried one after the other.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket, lookup_host};
use twinwall_core::config::Server;

use super::Failure;

/// How long one address may take.
const TRY: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;

/// A TCP connection to the first address that takes it.
pub(super) async fn tcp(server: &Server) -> Result<TcpStream, Failure> {
    let mut last = None;
    for address in addresses(server).await? {
        match tokio::time::timeout(TRY, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // It only saves time: what is written is small and waited for.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(format!("{address}: {error}")),
            Err(_) => last = Some(format!("{address}: no answer within {} s", TRY.as_secs())),
        }
    }
    Err(Failure::Unreached(last.unwrap_or_else(|| format!("{server}: no address"))))
}

/// A socket for datagrams to the first address of a server.
pub(super) async fn udp(server: &Server) -> Result<UdpSocket, Failure> {
    let addresses = addresses(server).await?;
    let Some(address) = addresses.first() else {
        return Err(Failure::Unreached(format!("{server}: no address")));
    };
    let own = match address {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let at = |error: io::Error| Failure::Unreached(format!("{address}: {error}"));
    let socket = UdpSocket::bind(own).await.map_err(at)?;
    socket.connect(address).await.map_err(at)?;
    Ok(socket)
}

async fn addresses(server: &Server) -> Result<Vec<SocketAddr>, Failure> {
    let found = lookup_host((server.host.as_str(), server.port)).await;
    let found = found.map_err(|error| {
        Failure::Unreached(format!("the name {} cannot be looked up: {error}", server.host))
    })?;
    Ok(found.take(ADDRESSES).collect())
}

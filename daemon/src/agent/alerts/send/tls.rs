//! TLS to targets: whom a node trusts is what its system trusts, or the target's own file of
//! certificates.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use twinwall_core::config::Server;

use super::Failure;
use super::discreet::Discreet;

/// What Debian's ca-certificates keeps up, relative to the root.
const SYSTEM: &str = "etc/ssl/certs/ca-certificates.crt";
/// Largest file of certificates in bytes: the system's has some 200 KiB.
const MAX_FILE: u64 = 4 << 20;

/// Whom to trust.
pub(super) struct Trust<'a> {
    pub(super) root: &'a Path,
    /// The target's own file; else the system's.
    pub(super) ca_file: Option<&'a str>,
    /// Decides what is told of what the other end says: a certificate has names of its choice.
    pub(super) discreet: Discreet<'a>,
}

/// Speaks TLS on a connection, with the other end's name proved.
pub(super) async fn begin(
    stream: TcpStream,
    server: &Server,
    trust: &Trust<'_>,
) -> Result<TlsStream<TcpStream>, Failure> {
    let config = config(trust).await?;
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| Failure::Unreached(format!("{}: no name for TLS", server.host)))?;
    let made = TlsConnector::from(config).connect(name, stream).await;
    made.map_err(|error| {
        Failure::Unreached(format!("{server}: TLS: {}", words(&error, trust.discreet)))
    })
}

/// Read anew for each connection: there are few, and certificates change.
async fn config(trust: &Trust<'_>) -> Result<Arc<ClientConfig>, Failure> {
    let path = trust.root.join(trust.ca_file.unwrap_or(SYSTEM));
    let read = tokio::task::spawn_blocking(move || {
        authorities(&path).map_err(|why| format!("{}: {why}", path.display()))
    });
    let store = read.await.unwrap_or_else(|error| Err(error.to_string()));
    let store = store.map_err(Failure::Unreached)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Unreached(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let remedy = "install ca-certificates, or name the target's own file with ca_file";
    let length = std::fs::metadata(path).map_err(|error| format!("{error}; {remedy}"))?.len();
    if length > MAX_FILE {
        return Err(format!("longer than {MAX_FILE} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let parts = pem::parse_many(&bytes).map_err(|error| error.to_string())?;
    let certificates = parts
        .into_iter()
        .filter(|part| part.tag() == "CERTIFICATE")
        .map(|part| CertificateDer::from(part.into_contents()));
    let mut store = RootCertStore::empty();
    // The system's file has some that no verifier takes; whose chain ends there is refused.
    let (taken, _) = store.add_parsable_certificates(certificates);
    if taken == 0 { Err(format!("no certificate in it; {remedy}")) } else { Ok(store) }
}

/// The reason behind a failed handshake, and what to do about the usual one.
fn words(error: &io::Error, discreet: Discreet<'_>) -> String {
    let text = discreet.words(&error.to_string());
    match text.contains("UnknownIssuer") {
        true => format!(
            "{text}: its certificate is not from an authority that this node trusts; \
                         name its authority's file with ca_file"
        ),
        false => text,
    }
}

//! TLS 1.3 where each side takes exactly one certificate from the other, the pinned one; while
//! that is being changed, the next one as well. The channel makes its connections with these settings. No names, no dates, no
//! authorities, no earlier versions, no resumption: a key that is revoked is out at once.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::Identity;
use super::peer::Peer;

/// Protocol name in the TLS handshake; something else on this port fails early.
const ALPN: &[u8] = b"twinwall";

/// Settings of the end that is dialled.
///
/// # Errors
/// When the identity's key does not fit its certificate.
pub fn server_config(own: &Identity, peer: &Peer) -> Result<Arc<ServerConfig>, Error> {
    let pin = Arc::new(Pin::new(peer));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&pin.provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(pin)
        .with_single_cert(vec![own.certificate.0.clone()], key(own))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Settings of the end that dials.
///
/// # Errors
/// When the identity's key does not fit its certificate.
pub fn client_config(own: &Identity, peer: &Peer) -> Result<Arc<ClientConfig>, Error> {
    let pin = Arc::new(Pin::new(peer));
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&pin.provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_client_auth_cert(vec![own.certificate.0.clone()], key(own))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// TLS wants a name for the other end; nobody looks at this one.
pub fn server_name() -> ServerName<'static> {
    ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]))
}

/// Whether the key belongs to the certificate.
pub(super) fn fits(identity: &Identity) -> bool {
    server_config(identity, &Peer::of(identity.certificate.clone())).is_ok()
}

fn key(own: &Identity) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(own.key.clone_key())
}

/// Takes the pinned certificates, and a proof of the key by Ed25519.
#[derive(Debug)]
struct Pin {
    peer: Peer,
    provider: Arc<CryptoProvider>,
}

impl Pin {
    fn new(peer: &Peer) -> Pin {
        Pin { peer: peer.clone(), provider: Arc::new(ring::default_provider()) }
    }

    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        if self.peer.certificates().any(|pinned| shown.as_ref() == pinned.der()) {
            return Ok(());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn proof(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }
}

/// Never reached: only TLS 1.3 is offered.
fn no_tls12() -> Error {
    Error::General("TLS 1.2 is not spoken here".to_owned())
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

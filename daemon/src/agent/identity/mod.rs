//! Who this node is towards its peer: one Ed25519 key with a self-signed certificate,
//! made when it is first needed and kept for good. Pairing shows the certificate to the
//! other node, the channel proves the key. It never leaves the node.
//!
//! Certificates are pinned byte for byte; names and dates in them mean nothing, since
//! clocks are wrong exactly after power cuts.

mod next;
pub mod peer;
pub mod private;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::digest::Digest;
pub use tls::{client_config, server_config, server_name};

/// Directory of the identity, relative to the root.
pub const DIRECTORY: &str = "etc/twinwall/identity";
/// The certificate and its key, in one file so that they are replaced as one.
const NODE: &str = "node.pem";
/// Largest certificate in bytes that is read, sent or taken; ours have about 350.
pub const MAX_CERTIFICATE: usize = 1024;
/// Largest identity file in bytes.
const MAX_FILE: u64 = 8192;

/// A certificate that can be pinned: Ed25519, at most [`MAX_CERTIFICATE`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// Takes the bytes of a certificate (DER).
    ///
    /// # Errors
    /// When they are too long or no certificate.
    pub fn decode(der: &[u8]) -> Result<Certificate, IdentityError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(IdentityError::NotACertificate);
        }
        let der = CertificateDer::from(der.to_vec());
        rustls::server::ParsedCertificate::try_from(&der)
            .map_err(|_| IdentityError::NotACertificate)?;
        Ok(Certificate(der))
    }

    /// Takes the text of one certificate.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_pem(pem: &str) -> Result<Certificate, IdentityError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes());
        Certificate::decode(der.map_err(|_| IdentityError::NotACertificate)?.as_ref())
    }

    /// The bytes (DER).
    pub fn der(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Its name.
    pub fn digest(&self) -> Digest {
        Digest::of(self.der())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Certificate({})", self.digest().short())
    }
}

/// This node's certificate and its private key.
pub struct Identity {
    certificate: Certificate,
    key: PrivatePkcs8KeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Identity({}, key secret)", self.certificate.digest().short())
    }
}

/// Why there is no identity to use.
#[derive(Debug)]
pub enum IdentityError {
    /// A file could not be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// Other users may read the key.
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file does not hold one certificate and its Ed25519 key.
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are no certificate.
    NotACertificate,
    /// No key could be made.
    Generate(String),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::File { path, error } => {
                write!(out, "{}: {error}; run this as root", path.display())
            }
            IdentityError::Open { path, mode } => write!(
                out,
                "{0}: others may read it (mode {mode:04o}); chmod 600 {0}, and if others had it, \
                 remove it and pair again",
                path.display()
            ),
            IdentityError::Damaged { path } => write!(
                out,
                "{}: does not hold one certificate and its key; restore it, or remove it and pair again",
                path.display()
            ),
            IdentityError::NotACertificate => {
                out.write_str("not a certificate; bring both nodes to one release")
            }
            IdentityError::Generate(error) => {
                write!(out, "no key could be made: {error}; look at this machine's random source")
            }
        }
    }
}

impl std::error::Error for IdentityError {}

impl Identity {
    /// Makes a new one, in memory only.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn generate() -> Result<Identity, IdentityError> {
        let wrong = |error: rcgen::Error| IdentityError::Generate(error.to_string());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(wrong)?;
        let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(wrong)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "twinwall node");
        let certificate = params.self_signed(&key).map_err(wrong)?;
        Ok(Identity {
            certificate: Certificate(certificate.der().clone()),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }

    /// Reads the identity below `root`; none when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is open to others.
    pub fn load(root: &Path) -> Result<Option<Identity>, IdentityError> {
        let path = root.join(DIRECTORY).join(NODE);
        match private::read(&path, MAX_FILE) {
            Ok(file) => Identity::from_file(&path, &file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IdentityError::File { path, error }),
        }
    }

    /// Reads the identity below `root`; makes and keeps one when there is none. Of two
    /// processes that do so at once both get the same.
    ///
    /// # Errors
    /// When the file cannot be read or written, is damaged, or is open to others.
    pub fn load_or_create(root: &Path) -> Result<Identity, IdentityError> {
        let path = root.join(DIRECTORY).join(NODE);
        let failed = |error| IdentityError::File { path: path.clone(), error };
        let _lock = private::lock_directory(&root.join(DIRECTORY)).map_err(failed)?;
        if let Some(identity) = Identity::load(root)? {
            return Ok(identity);
        }
        let identity = Identity::generate()?;
        private::write(&path, identity.pem()?.as_bytes()).map_err(failed)?;
        Ok(identity)
    }

    fn from_file(path: &Path, file: &private::Found) -> Result<Identity, IdentityError> {
        if file.mode & 0o077 != 0 {
            return Err(IdentityError::Open { path: path.to_owned(), mode: file.mode });
        }
        Identity::from_pem(&file.bytes)
            .ok_or_else(|| IdentityError::Damaged { path: path.to_owned() })
    }

    /// Reads one certificate and the key that belongs to it; `None` for anything else.
    pub fn from_pem(pem: &[u8]) -> Option<Identity> {
        let (mut certificate, mut key) = (None, None);
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            match section.ok()? {
                (SectionKind::Certificate, der) if certificate.is_none() => {
                    certificate = Some(Certificate::decode(&der).ok()?);
                }
                (SectionKind::PrivateKey, der) if key.is_none() => {
                    key = Some(PrivatePkcs8KeyDer::from(der));
                }
                _other => return None,
            }
        }
        let identity = Identity { certificate: certificate?, key: key? };
        tls::fits(&identity).then_some(identity)
    }

    /// The text of the identity file. Secret.
    fn pem(&self) -> Result<String, IdentityError> {
        let wrong = |error: rcgen::Error| IdentityError::Generate(error.to_string());
        let key = rcgen::KeyPair::try_from(&self.key).map_err(wrong)?;
        Ok(format!("{}{}", certificate_pem(&self.certificate), key.serialize_pem()))
    }

    #[cfg(test)]
    pub(in crate::agent) fn pem_for_tests(&self) -> String {
        self.pem().expect("an identity has a text")
    }

    /// What the peer pins.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// The certificate as text, for files that people carry.
pub fn certificate_pem(certificate: &Certificate) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", certificate.der()))
}

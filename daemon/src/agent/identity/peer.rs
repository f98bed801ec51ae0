//! The certificate of the other node, as pairing left it. It is public; that nobody else
//! wrote it is what counts, so that only its owner may write the directory.

use std::io;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Certificate, DIRECTORY, IdentityError, MAX_FILE, certificate_pem, private};

/// The file, in the identity's directory.
pub const PEER: &str = "peer.pem";

/// Reads the peer's certificate below `root`; none when the node is not paired.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn read_peer(root: &Path) -> Result<Option<Certificate>, IdentityError> {
    let path = root.join(DIRECTORY).join(PEER);
    let file = match private::read(&path, MAX_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(IdentityError::File { path, error }),
    };
    let der = CertificateDer::from_pem_slice(&file.bytes);
    let damaged = || IdentityError::Damaged { path: path.clone() };
    let der = der.map_err(|_| damaged())?;
    Certificate::decode(der.as_ref()).map(Some).map_err(|_| damaged())
}

/// Writes it durably, whole or not at all.
///
/// # Errors
/// When the disk does not take it.
pub fn write_peer(root: &Path, peer: &Certificate) -> Result<(), IdentityError> {
    let directory = root.join(DIRECTORY);
    let path = directory.join(PEER);
    let failed = |error| IdentityError::File { path: path.clone(), error };
    let _lock = private::lock_directory(&directory).map_err(failed)?;
    private::write(&path, certificate_pem(peer).as_bytes()).map_err(failed)
}

/// Forgets the peer for good.
///
/// # Errors
/// The system's.
pub fn remove_peer(root: &Path) -> io::Result<()> {
    let directory = root.join(DIRECTORY);
    let _lock = private::lock_directory(&directory)?;
    private::remove(&directory.join(PEER))
}

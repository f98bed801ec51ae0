//! The certificate of the other node, as pairing left it. It is public; that nobody else
//! wrote it is what counts, so that only its owner may write the directory.

use std::io;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Certificate, DIRECTORY, IdentityError, MAX_FILE, certificate_pem, private};
use crate::agent::digest::Digest;

/// The file, in the identity's directory.
pub const PEER: &str = "peer.pem";

/// What the other node may prove: mostly one certificate, and while certificates are being
/// changed its next one as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its certificate.
    pub certificate: Certificate,
    /// Its next one.
    pub next: Option<Certificate>,
}

impl Peer {
    /// Of a node whose certificate is not being changed.
    pub fn of(certificate: Certificate) -> Peer {
        Peer { certificate, next: None }
    }

    /// Each that is taken.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.certificate).chain(&self.next)
    }

    /// Their digests.
    pub fn digests(&self) -> Vec<Digest> {
        self.certificates().map(Certificate::digest).collect()
    }
}

/// Reads what the other node may prove, below `root`; none when the node is not paired.
///
/// # Errors
/// When the file cannot be read, or holds anything but one or two certificates.
pub fn read_peer(root: &Path) -> Result<Option<Peer>, IdentityError> {
    let path = root.join(DIRECTORY).join(PEER);
    let file = match private::read(&path, MAX_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(IdentityError::File { path, error }),
    };
    parse(&file.bytes).map(Some).ok_or(IdentityError::Damaged { path })
}

fn parse(pem: &[u8]) -> Option<Peer> {
    let mut found = CertificateDer::pem_slice_iter(pem);
    let mut next = || found.next().map(|der| Certificate::decode(der.ok()?.as_ref()).ok());
    let (certificate, also, more) = (next()??, next(), next());
    let next = also.map_or(Some(None), |it| it.map(Some))?;
    more.is_none().then_some(Peer { certificate, next })
}

/// Writes it durably, whole or not at all.
///
/// # Errors
/// When the disk does not take it.
pub fn write_peer(root: &Path, peer: &Peer) -> Result<(), IdentityError> {
    let directory = root.join(DIRECTORY);
    let path = directory.join(PEER);
    let failed = |error| IdentityError::File { path: path.clone(), error };
    let _lock = private::lock_directory(&directory).map_err(failed)?;
    let text: String = peer.certificates().map(certificate_pem).collect();
    private::write(&path, text.as_bytes()).map_err(failed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::identity::Identity;

    #[test]
    fn one_certificate_or_two_survive_their_file_and_anything_else_is_refused() {
        let root = std::env::temp_dir().join(format!("twinwall-peer-{}", std::process::id()));
        let make = || Identity::generate().expect("an identity").certificate().clone();
        let (certificate, next) = (make(), make());
        let one = Peer::of(certificate.clone());
        let two = Peer { certificate: certificate.clone(), next: Some(next.clone()) };
        for peer in [&one, &two] {
            write_peer(&root, peer).expect("written");
            assert_eq!(read_peer(&root).expect("read").as_ref(), Some(peer));
        }
        let [first, second] = [&certificate, &next].map(certificate_pem);
        let damaged = second.replace("-----END", "----END");
        for wrong in [String::new(), [first.as_str(); 3].concat(), first.clone() + &damaged] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        remove_peer(&root).expect("removed");
        assert_eq!(read_peer(&root).expect("read"), None);
        let _ = std::fs::remove_dir_all(root);
    }
}

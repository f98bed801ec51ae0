//! The certificate of HTTPS: the administrator's, where there is one, else the console's own,
//! made at the first start. Files that change are taken over without a restart; while they
//! are wrong the one before them holds.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use sha2::{Digest, Sha256};

use super::privilege::STATE;
use super::validity::Validity;

/// Where the administrator puts his, relative to the root: [`CHAIN`] and [`KEY`].
pub const FOLDER: &str = "etc/twinwall-web";
/// The console's own certificate, relative to the root.
pub const OWN: &str = "var/lib/twinwall-web/cert.pem";
const CHAIN: &str = "cert.pem";
const KEY: &str = "key.pem";
/// Between two looks whether the files are others.
const LOOK: Duration = Duration::from_secs(2);
/// Addresses that the own certificate names.
const MAX_NAMES: usize = 32;

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Certificate {
    root: PathBuf,
    used: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.used.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Certificate {
    /// The one below the root; the own one is made if there is none yet. It names the node
    /// and these addresses.
    pub(super) fn load(
        root: &Path,
        names: &[String],
        addresses: &[IpAddr],
    ) -> io::Result<Arc<Certificate>> {
        let own = root.join(STATE);
        if !own.join(CHAIN).exists() || !own.join(KEY).exists() {
            make(&own, names, addresses)?;
        }
        let used = read(&root.join(FOLDER)).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                eprintln!("twinwall web: {error}; using the console's own certificate");
            }
            read(&own)
        })?;
        Ok(Arc::new(Certificate { root: root.to_owned(), used: RwLock::new(Arc::new(used)) }))
    }

    /// TLS with it, for HTTP/2 and HTTP/1.1.
    pub(super) fn tls(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[&TLS13])?.with_no_client_auth();
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Takes changed files over, for as long as the process runs.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut seen = self.stamp();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.stamp();
            if now == seen {
                continue;
            }
            seen = now;
            let theirs = self.root.join(FOLDER);
            let place = if theirs.join(CHAIN).exists() { theirs } else { self.root.join(STATE) };
            match read(&place) {
                Ok(key) => {
                    *self.used.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                    eprintln!("twinwall web: using the certificate in {}", place.display());
                }
                Err(error) => eprintln!("twinwall web: {error}; the certificate before it holds"),
            }
        }
    }

    fn stamp(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files = [FOLDER, STATE]
            .map(|folder| [CHAIN, KEY].map(|name| self.root.join(folder).join(name)));
        let stamp = |path: &PathBuf| {
            let seen = fs::metadata(path).ok()?;
            Some((seen.modified().ok()?, seen.len()))
        };
        files.as_flattened().iter().map(stamp).collect()
    }
}

/// Reads chain and key and sees whether they belong together.
fn read(folder: &Path) -> io::Result<CertifiedKey> {
    let named = |name: &str, error: &dyn std::fmt::Display, kind| {
        io::Error::new(kind, format!("{}: {error}", folder.join(name).display()))
    };
    let text =
        |name: &str| fs::read(folder.join(name)).map_err(|error| named(name, &error, error.kind()));
    let invalid = io::ErrorKind::InvalidData;
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&text(CHAIN)?).collect();
    let chain = chain.map_err(|error| named(CHAIN, &error, invalid))?;
    let key = PrivateKeyDer::from_pem_slice(&text(KEY)?);
    let key = key.map_err(|error| named(KEY, &error, invalid))?;
    if chain.is_empty() {
        return Err(named(CHAIN, &"holds no certificate", invalid));
    }
    let provider = ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| named(KEY, &error, invalid))
}

fn make(folder: &Path, names: &[String], addresses: &[IpAddr]) -> io::Result<()> {
    let wrong = |error: rcgen::Error| io::Error::other(format!("making a certificate: {error}"));
    let mut params = CertificateParams::new(names.to_vec()).map_err(wrong)?;
    let addresses = addresses.iter().take(MAX_NAMES).map(|it| SanType::IpAddress(*it));
    params.subject_alt_names.extend(addresses);
    params.distinguished_name = DistinguishedName::new();
    let name = names.first().map_or("twinwall", String::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    write(&folder.join(KEY), &key.serialize_pem(), 0o600)?;
    write(&folder.join(CHAIN), &certificate.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)
}

/// The certificate that the console below `root` shows, and how long it is valid; none where there
/// is none, or none that can be read.
pub fn in_use(root: &Path) -> Option<(PathBuf, Validity)> {
    let places = [root.join(FOLDER).join(CHAIN), root.join(OWN)];
    let path = places.into_iter().find(|path| path.exists())?;
    let certificate = CertificateDer::from_pem_slice(&fs::read(&path).ok()?).ok()?;
    Some((path, Validity::of(&certificate)?))
}

/// The SHA-256 fingerprint of a certificate, as browsers show it.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn fingerprint(path: &Path) -> io::Result<String> {
    let certificate = CertificateDer::from_pem_slice(&fs::read(path)?).map_err(io::Error::other)?;
    let mut text = String::new();
    for (at, byte) in Sha256::digest(&certificate).iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02X}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_certificate_is_made_once_and_another_one_takes_its_place() {
        let root =
            std::env::temp_dir().join(format!("twinwall-certificate-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join(STATE)).expect("made");
        let load =
            || Certificate::load(&root, &["gw-a".to_owned()], &[IpAddr::from([192, 0, 2, 1])]);
        let used = |it: &Certificate| it.used.read().expect("no panic").cert[0].clone();
        let (first, second) = (load().expect("made"), load().expect("read"));
        assert_eq!(used(&first), used(&second));
        first.tls().expect("TLS");
        let print = fingerprint(&root.join(OWN)).expect("a fingerprint");
        assert_eq!(print.len(), 32 * 3 - 1);
        let theirs = root.join(FOLDER);
        fs::create_dir_all(&theirs).expect("made");
        make(&theirs, &["console.example".to_owned()], &[]).expect("made");
        let third = load().expect("read");
        assert_ne!(used(&first), used(&third));
        let (path, validity) = in_use(&root).expect("read");
        assert!(
            path.starts_with(&theirs) && validity.until_ms == 2_524_521_600_000,
            "{validity:?}"
        );
        // A key of another certificate: the own one is used.
        fs::copy(root.join(STATE).join(KEY), theirs.join(KEY)).expect("copied");
        assert!(read(&theirs).is_err());
        assert_eq!(used(&load().expect("read")), used(&first));
        fs::remove_dir_all(root).expect("gone");
    }
}

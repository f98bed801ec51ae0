//! The identity file, and TLS between two ends in memory.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::peer::Peer;
use super::*;

/// A directory that goes when the test ends.
struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Root {
        let path = std::env::temp_dir().join(format!("twinwall-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary directory");
        Root(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join(DIRECTORY).join(NODE)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(root: &Path) -> Identity {
    Identity::load_or_create(root).expect("an identity")
}

#[test]
fn an_identity_is_made_once_for_root_alone() {
    let root = Root::new("identity-once");
    let first = load(&root.0);
    assert_eq!(first.certificate(), load(&root.0).certificate());
    assert_eq!(fs::metadata(root.file()).expect("the file").mode() & 0o7777, 0o600);
    let directory = fs::metadata(root.0.join(DIRECTORY)).expect("the directory");
    assert_eq!(directory.mode() & 0o7777, 0o700);
    assert!(first.certificate().der().len() < MAX_CERTIFICATE / 2);
    assert!(!format!("{first:?}").contains("PRIVATE"));
}

#[test]
fn a_directory_that_others_may_enter_is_closed_to_them() {
    let root = Root::new("identity-closed");
    fs::set_permissions(&root.0, fs::Permissions::from_mode(0o755)).expect("a mode");
    for path in [root.0.clone(), root.0.join("new")] {
        private::directory(&path).expect("made");
        assert_eq!(fs::metadata(path).expect("there").mode() & 0o7777, 0o700);
    }
}

#[test]
fn a_draft_that_a_killed_process_left_is_passed_over() {
    let root = Root::new("identity-draft");
    let draft = root.0.join(DIRECTORY).join("node.pem.new");
    fs::create_dir_all(root.0.join(DIRECTORY)).expect("a directory");
    fs::write(&draft, "-----BEGIN CERT").expect("half a file");
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o644)).expect("a mode");
    let made = load(&root.0);
    assert!(!draft.exists(), "the draft became the file");
    assert_eq!(fs::metadata(root.file()).expect("the file").mode() & 0o7777, 0o600);
    assert_eq!(made.certificate(), load(&root.0).certificate());
}

#[test]
fn twenty_processes_at_once_agree_on_one_identity() {
    let root = Root::new("identity-race");
    let digests: Vec<Digest> = std::thread::scope(|scope| {
        let tasks: Vec<_> =
            (0..20).map(|_| scope.spawn(|| load(&root.0).certificate().digest())).collect();
        tasks.into_iter().map(|task| task.join().expect("no panic")).collect()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn a_damaged_or_open_file_is_refused_and_left_alone() {
    let root = Root::new("identity-damaged");
    load(&root.0);
    let text = fs::read_to_string(root.file()).expect("the file");
    let other = Identity::generate().expect("a key").pem().expect("its text");
    let half = &text[..text.len() / 2];
    let foreign_key = {
        let end = text.find("-----BEGIN PRIVATE").expect("a key");
        let key = other.find("-----BEGIN PRIVATE").expect("a key");
        format!("{}{}", &text[..end], &other[key..])
    };
    let long = "x".repeat(9000);
    for wrong in ["", half, &foreign_key, &format!("{text}{text}"), &long] {
        fs::write(root.file(), wrong).expect("a file");
        assert!(Identity::load_or_create(&root.0).is_err(), "{wrong}");
        assert_eq!(fs::read_to_string(root.file()).expect("the file"), wrong);
    }
    fs::write(root.file(), &text).expect("a file");
    fs::set_permissions(root.file(), fs::Permissions::from_mode(0o640)).expect("a mode");
    let error = Identity::load_or_create(&root.0).expect_err("others may read it");
    assert!(error.to_string().contains("mode 0640"), "{error}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let good = Identity::generate().expect("a key").certificate().der().to_vec();
    assert!(Certificate::decode(&good).is_ok());
    for wrong in [&b""[..], b"certificate", &good[..good.len() - 1], &[0x30; MAX_CERTIFICATE + 1]] {
        assert!(Certificate::decode(wrong).is_err());
    }
}

/// Shakes hands in memory; gives the first error of either end.
fn handshake(
    dialler: (&Identity, &Certificate),
    listener: (&Identity, &Certificate),
) -> Result<(), String> {
    let of = |certificate: &Certificate| Peer::of(certificate.clone());
    let client = client_config(dialler.0, &of(dialler.1)).map_err(|error| error.to_string())?;
    let server = server_config(listener.0, &of(listener.1)).map_err(|error| error.to_string())?;
    shake(client, server)
}

fn shake(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Result<(), String> {
    let mut client = ClientConnection::new(client, server_name()).map_err(|e| e.to_string())?;
    let mut server = ServerConnection::new(server).map_err(|e| e.to_string())?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).map_err(|e| e.to_string())?;
        server.read_tls(&mut io::Cursor::new(wire)).map_err(|e| e.to_string())?;
        server.process_new_packets().map_err(|e| format!("listener: {e}"))?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).map_err(|e| e.to_string())?;
        client.read_tls(&mut io::Cursor::new(wire)).map_err(|e| e.to_string())?;
        client.process_new_packets().map_err(|e| format!("dialler: {e}"))?;
    }
    Ok(())
}

#[test]
fn only_the_two_pinned_certificates_shake_hands() {
    let [a, b, stranger] = [0; 3].map(|_| Identity::generate().expect("a key"));
    let [of_a, of_b] = [&a, &b].map(|identity| identity.certificate().clone());
    assert_eq!(handshake((&a, &of_b), (&b, &of_a)), Ok(()));
    let refused = handshake((&stranger, &of_b), (&b, &of_a)).expect_err("an unknown dialler");
    assert!(refused.starts_with("listener:"), "{refused}");
    let refused = handshake((&a, &of_b), (&stranger, &of_a)).expect_err("an unknown listener");
    assert!(refused.starts_with("dialler:"), "{refused}");
}

#[test]
fn a_next_certificate_is_taken_as_well_until_it_is_the_only_one() {
    let [a, next, b] = [0; 3].map(|_| Identity::generate().expect("a key"));
    let both =
        Peer { certificate: a.certificate().clone(), next: Some(next.certificate().clone()) };
    let of_b = Peer::of(b.certificate().clone());
    let shakes = |own: &Identity, pinned: &Peer| {
        let (client, server) = (client_config(own, &of_b), server_config(&b, pinned));
        shake(client.expect("settings"), server.expect("settings"))
    };
    assert_eq!((shakes(&a, &both), shakes(&next, &both)), (Ok(()), Ok(())));
    let only = Peer::of(next.certificate().clone());
    assert_eq!(shakes(&next, &only), Ok(()));
    assert!(shakes(&a, &only).expect_err("the former one").starts_with("listener:"));
}

#[test]
fn showing_the_pinned_certificate_without_its_key_is_refused() {
    let [a, b, thief] = [0; 3].map(|_| Identity::generate().expect("a key"));
    let forged = Identity { certificate: a.certificate().clone(), key: thief.key.clone_key() };
    assert!(!tls::fits(&forged), "our own settings take no such pair");
    let signing = rustls::crypto::ring::sign::any_eddsa_type(&forged.key).expect("a key");
    let shown = CertifiedKey::new(vec![forged.certificate.0.clone()], signing);
    let mut client =
        (*client_config(&thief, &Peer::of(b.certificate().clone())).expect("settings")).clone();
    client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(shown));
    let server = server_config(&b, &Peer::of(a.certificate().clone())).expect("settings");
    let refused = shake(Arc::new(client), server).expect_err("the proof is of another key");
    assert!(refused.starts_with("listener:"), "{refused}");
}

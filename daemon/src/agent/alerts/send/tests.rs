//! The ways against servers that are played here: what is said on the wire, what a no means,
//! and that nothing secret is told.

mod echo;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use twinwall_core::config::{AlertTarget, parse_pair};

use super::super::message::tests::message;
use super::super::secret;
use super::*;

/// A root that goes with the value.
struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Ground {
        let root = std::env::temp_dir().join(format!("twinwall-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("a directory");
        Ground(root)
    }

    fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn target(lines: &str) -> AlertTarget {
    let text = format!(
        "pair_id = 42\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n[alerts.noc]\n{lines}\n"
    );
    let pair = parse_pair("pair.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    pair.alerts.into_iter().next().expect("one")
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// An authority of its own below the root as `ca.pem`, and what a server of the name localhost
/// proves itself with.
fn authority(ground: &Ground) -> TlsAcceptor {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("right");
    let name = ground.root().display().to_string();
    ca.distinguished_name.push(rcgen::DnType::CommonName, name);
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).expect("signed");
    std::fs::write(ground.root().join("ca.pem"), ca_certificate.pem()).expect("written");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("right");
    let issuer = Issuer::new(ca, ca_key);
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("they fit");
    TlsAcceptor::from(Arc::new(config))
}

/// Reads one request of HTTP and answers it; gives its head and body.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> (String, String) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.expect("a line") > 0, "{head}");
    }
    let length = head.to_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|digits| digits.parse().ok()).expect("a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    stream.write_all(answer.as_bytes()).await.expect("answered");
    stream.shutdown().await.expect("ended");
    (head, String::from_utf8(body).expect("text"))
}

#[tokio::test]
async fn a_webhook_is_signed_over_moment_and_body_and_goes_through_tls() {
    let ground = Ground::new("webhook");
    let tls = authority(&ground);
    secret::set(ground.root(), "noc", "topsecret").expect("kept");
    let (listener, port) = listener().await;
    let hook = format!(
        "kind = \"webhook\"\nurl = \"https://localhost:{port}/a?b=c\"\nca_file = \"ca.pem\""
    );
    let server = async {
        let (stream, _) = listener.accept().await.expect("a visitor");
        let stream = tls.accept(stream).await.expect("TLS");
        answer(stream, "HTTP/1.1 204 No Content\r\n\r\n").await
    };
    let (target, message) = (target(&hook), message());
    let (sent, (head, body)) = tokio::join!(send(ground.root(), &target, &message), server);
    assert_eq!(sent.expect("taken"), "204 No Content");
    assert!(head.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: localhost:{port}\r\n")), "{head}");
    assert!(head.contains("twinwall-delivery: gw-a-7-1709164799999\r\n"), "{head}");
    let line = head.lines().find_map(|line| line.strip_prefix("twinwall-signature: "));
    let line = line.expect("signed");
    let seconds = line.strip_prefix("t=").and_then(|rest| rest.split(',').next());
    let seconds = seconds.and_then(|digits| digits.parse().ok()).expect("a moment");
    assert_eq!(line, webhook::signature("topsecret", seconds, body.as_bytes()));
    assert_ne!(line, webhook::signature("other", seconds, body.as_bytes()));
    let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(json["text"], "gw-b is silent on every path.");
}

#[test]
fn the_signature_is_what_openssl_says() {
    // printf '1.what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe
    let wanted = "t=1,v1=a9049465ce89cfb8e9aac62333abda66f80e3403f51f57f6bae3c3a4485eca38";
    assert_eq!(webhook::signature("Jefe", 1, b"what do ya want for nothing?"), wanted);
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_and_a_port_where_nobody_listens_are_told_as_such() {
    let ground = Ground::new("untrusted");
    let tls = authority(&ground);
    let other = Ground::new("untrusted-other");
    let _ = authority(&other);
    let (listener, port) = listener().await;
    let hook =
        format!("kind = \"webhook\"\nurl = \"https://localhost:{port}/\"\nca_file = \"ca.pem\"");
    let target = target(&hook);
    let server = async {
        let (stream, _) = listener.accept().await.expect("a visitor");
        tls.accept(stream).await.map(drop)
    };
    let message = message();
    let (sent, _) = tokio::join!(send(other.root(), &target, &message), server);
    let failure = sent.expect_err("not trusted");
    assert!(matches!(&failure, Failure::Unreached(why) if why.contains("ca_file")), "{failure}");
    drop(listener);
    let failure = send(ground.root(), &target, &message).await.expect_err("nobody listens");
    assert!(matches!(&failure, Failure::Unreached(why) if why.contains("refused")), "{failure}");
}

/// What the played mail server does: each line in with the reply to it.
async fn play(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    greets: bool,
    replies: &[(&str, &str)],
) -> (Vec<String>, BufReader<impl AsyncRead + AsyncWrite + Unpin>) {
    let mut stream = BufReader::new(stream);
    let mut heard = Vec::new();
    if greets {
        stream.write_all(b"220 mail.example.org ready\r\n").await.expect("said");
    }
    for (wanted, reply) in replies {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a line");
        assert!(line.starts_with(wanted), "{line:?} instead of {wanted}");
        heard.push(line);
        if *wanted == "DATA" {
            stream.write_all(b"354 go on\r\n").await.expect("said");
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") {
                assert!(stream.read_line(&mut text).await.expect("a line") > 0, "{text}");
            }
            heard.push(text);
        }
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.expect("said");
    }
    (heard, stream)
}

const EHLO: &str = "250-mail.example.org\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS";

#[tokio::test]
async fn a_mail_is_handed_over_in_tls_after_starttls_and_only_there_with_the_password() {
    let ground = Ground::new("mail");
    let tls = authority(&ground);
    secret::set(ground.root(), "noc", "pass word").expect("kept");
    let (listener, port) = listener().await;
    let target = target(&format!(
        "kind = \"email\"\nserver = \"localhost:{port}\"\nfrom = \"gw@example.org\"\n\
         to = [\"a@example.org\", \"b@example.org\"]\nuser = \"gw\"\nca_file = \"ca.pem\""
    ));
    let server = async {
        let (stream, _) = listener.accept().await.expect("a visitor");
        let (plain, stream) =
            play(stream, true, &[("EHLO [127.0.0.1]", EHLO), ("STARTTLS", "220 go")]).await;
        let stream = tls.accept(stream.into_inner()).await.expect("TLS");
        let replies = [
            ("EHLO", EHLO),
            ("AUTH PLAIN AGd3AHBhc3Mgd29yZA==\r\n", "235 yes"),
            ("MAIL FROM:<gw@example.org>\r\n", "250 yes"),
            ("RCPT TO:<a@example.org>\r\n", "550 nobody"),
            ("RCPT TO:<b@example.org>\r\n", "250 yes"),
            ("DATA", "250 taken as 7"),
            ("QUIT", "221 bye"),
        ];
        let (heard, _) = play(stream, false, &replies).await;
        (plain, heard)
    };
    let message = message();
    let (sent, (plain, heard)) = tokio::join!(send(ground.root(), &target, &message), server);
    let said = sent.expect("taken");
    assert!(said.starts_with("250 taken as 7; but recipient a@example.org"), "{said}");
    assert!(plain.iter().all(|line| !line.contains("AUTH")), "{plain:?}");
    let text = &heard[6];
    for line in [
        "From: twinwall <gw@example.org>\r\n",
        "To: a@example.org,\r\n b@example.org\r\n",
        "Subject: [twinwall 42] critical: peer-silent (gw-a)\r\n",
        "Date: Wed, 28 Feb 2024 23:59:59 +0000\r\n",
        "gw-b is silent on every path.\r\n",
        "What now: look at its power.\r\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_mail_server_that_says_no_is_told_with_its_words() {
    let ground = Ground::new("mail-no");
    for (replies, words, stays) in [
        (vec![("EHLO", EHLO), ("MAIL", "451 busy")], "451 busy", false),
        (vec![("EHLO", EHLO), ("MAIL", "250 yes"), ("RCPT", "550 nobody")], "550 nobody", true),
        (vec![("EHLO", "hello?")], "no mail server", false),
    ] {
        let (listener, port) = listener().await;
        let target = target(&format!(
            "kind = \"email\"\nserver = \"127.0.0.1:{port}\"\nfrom = \"gw@example.org\"\n\
             to = \"a@example.org\"\ntransport = \"tcp\""
        ));
        let server = async {
            let (stream, _) = listener.accept().await.expect("a visitor");
            play(stream, true, &replies).await
        };
        let message = message();
        let (sent, _) = tokio::join!(send(ground.root(), &target, &message), server);
        let failure = sent.expect_err(words);
        assert!(failure.words().contains(words), "{failure}");
        assert_eq!(matches!(failure, Failure::Refused(_)), stays, "{failure}");
    }
}

#[tokio::test]
async fn a_password_is_never_sent_without_tls() {
    let ground = Ground::new("mail-plain");
    secret::set(ground.root(), "noc", "password").expect("kept");
    let (listener, port) = listener().await;
    let mail = |transport: &str| {
        target(&format!(
            "kind = \"email\"\nserver = \"127.0.0.1:{port}\"\nfrom = \"gw@example.org\"\n\
             to = \"a@example.org\"\nuser = \"gw\"\ntransport = \"{transport}\""
        ))
    };
    let failure = send(ground.root(), &mail("tcp"), &message()).await.expect_err("refused");
    assert!(failure.words().contains("only sent in TLS"), "{failure}");
    let _ = listener.accept().await.expect("the first visit");
    let server = async {
        let (stream, _) = listener.accept().await.expect("a visitor");
        // Somebody between has cut STARTTLS out.
        play(stream, true, &[("EHLO", "250 mail.example.org")]).await
    };
    let (target, message) = (mail("starttls"), message());
    let (sent, _) = tokio::join!(send(ground.root(), &target, &message), server);
    let failure = sent.expect_err("refused");
    assert!(failure.words().contains("no STARTTLS"), "{failure}");
}

#[test]
fn a_mail_in_other_letters_stays_readable_on_its_way() {
    assert_eq!(mail_text::quoted("a=b \u{e4}\n"), "a=3Db =C3=A4\r\n");
    assert_eq!(mail_text::quoted("end \n.\n"), "end=20\r\n.\r\n");
    let long = mail_text::quoted(&"x".repeat(200));
    assert!(long.lines().all(|line| line.len() <= 76), "{long}");
    assert_eq!(long.replace("=\r\n", ""), format!("{}\r\n", "x".repeat(200)));
    assert_eq!(smtp::stuffed("a\r\n.\r\n..b\r\n"), "a\r\n..\r\n...b\r\n");
    assert_eq!(mail_text::date(951_782_400_000), "Tue, 29 Feb 2000 00:00:00 +0000");
    let mut message = message();
    message.subject = Some("\u{fc}berall ".repeat(10));
    let to = ["a@example.org".to_owned()];
    let letter = mail::Letter { from: "gw@example.org", to: &to, message: &message };
    let text = mail_text::text(&letter);
    let head = text.split("\r\n\r\n").next().expect("a head");
    assert!(head.is_ascii() && head.lines().all(|line| line.len() <= 90), "{head}");
    assert!(head.contains("=?utf-8?B?"), "{head}");
}

#[test]
fn lines_of_a_mail_server_are_read_within_the_rules() {
    assert_eq!(smtp::part(b"250-a b\r\n"), Some((250, false, "a b".to_owned())));
    assert_eq!(smtp::part(b"250\r\n"), Some((250, true, String::new())));
    for wrong in [&b"250 a"[..], b"25 a\n", b"999 a\n", b"250_a\n", b"+50 a\n", b"\n", b""] {
        assert_eq!(smtp::part(wrong), None, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_line_of_syslog_arrives_by_udp_and_a_missing_listener_shows() {
    let ground = Ground::new("udp");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let port = socket.local_addr().expect("an address").port();
    let target = target(&format!("kind = \"syslog\"\nserver = \"127.0.0.1:{port}\""));
    send(ground.root(), &target, &message()).await.expect("sent");
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).await.expect("a datagram");
    let line = std::str::from_utf8(&buffer[..length]).expect("text");
    assert_eq!(
        line,
        "<26>1 2024-02-28T23:59:59.999Z gw-a twinwall - peer-silent [twinwall@32473 \
         kind=\"raised\" severity=\"critical\" node=\"gw-a\" pair=\"42\"] \u{feff}gw-b is silent on \
         every path. What now: look at its power."
    );
    drop(socket);
    let failure = send(ground.root(), &target, &message()).await.expect_err("nobody listens");
    assert!(failure.words().contains("refused"), "{failure}");
}

#[tokio::test]
async fn by_tcp_and_tls_each_line_of_syslog_has_its_length_before_it() {
    let ground = Ground::new("tcp");
    let tls = authority(&ground);
    let (listener, port) = listener().await;
    let message = message();
    let wanted = syslog::line(3, &message);
    let wanted = format!("{} {wanted}", wanted.len());
    for transport in ["tcp", "tls"] {
        let target = target(&format!(
            "kind = \"syslog\"\nserver = \"localhost:{port}\"\ntransport = \"{transport}\"\n\
             ca_file = \"ca.pem\""
        ));
        let server = async {
            let (stream, _) = listener.accept().await.expect("a visitor");
            let mut text = String::new();
            if transport == "tls" {
                let mut stream = tls.accept(stream).await.expect("TLS");
                stream.read_to_string(&mut text).await.expect("read");
            } else {
                let mut stream = stream;
                stream.read_to_string(&mut text).await.expect("read");
            }
            text
        };
        let (sent, heard) = tokio::join!(send(ground.root(), &target, &message), server);
        sent.expect("sent");
        assert_eq!(heard, wanted, "{transport}");
    }
}

#[test]
fn nothing_that_is_told_can_break_a_line_of_syslog() {
    let mut message = message();
    message.subject = Some("a\"b]c\\d\ne".to_owned());
    message.text = format!("x\r\n<0>{}", "\u{e4}".repeat(3000));
    message.sent_by = "g w\n".to_owned();
    let line = syslog::line(23, &message);
    assert!(line.len() <= 2048 && !line.contains(['\n', '\r']), "{line}");
    assert!(line.contains("subject=\"a\\\"b\\]c\\\\d e\""), "{line}");
    assert!(line.starts_with("<186>1 2024-02-28T23:59:59.999Z gw twinwall - peer-silent ["));
}

//! Servers that send back what they were sent: the secret is in nothing that is told.

use super::*;

#[tokio::test]
async fn a_no_that_passes_is_told_apart_from_one_that_stays_and_neither_tells_the_secret() {
    let ground = Ground::new("no");
    secret::set(ground.root(), "noc", "topsecret").expect("kept");
    for (said, stays) in [
        ("503 Service Unavailable", false),
        ("429 Too Many Requests", false),
        ("400 Bad Request", true),
        ("404 Not Found", true),
        ("302 Found", true),
    ] {
        let (listener, port) = listener().await;
        let url = format!("http://127.0.0.1:{port}/{{secret}}");
        let target = target(&format!("kind = \"webhook\"\nurl = \"{url}\""));
        // It sends back what it was asked for, as many do.
        let echo = "no such path: /topsecret";
        let length = echo.len();
        let text = format!("HTTP/1.1 {said}\r\ncontent-length: {length}\r\n\r\n{echo}");
        let server = async {
            let (stream, _) = listener.accept().await.expect("a visitor");
            answer(stream, &text).await
        };
        let message = message();
        let (sent, (head, _)) = tokio::join!(send(ground.root(), &target, &message), server);
        let failure = sent.expect_err(said);
        assert_eq!(matches!(failure, Failure::Refused(_)), stays, "{failure}");
        assert!(failure.words().contains(said) && !failure.words().contains("topsecret"));
        assert!(head.starts_with("POST /topsecret HTTP/1.1"), "{head}");
        assert!(!head.contains("twinwall-signature"), "the address is the secret");
    }
}

#[tokio::test]
async fn a_mail_server_that_repeats_the_sign_in_is_told_without_its_words() {
    let ground = Ground::new("mail-echo");
    let tls = authority(&ground);
    secret::set(ground.root(), "noc", "pass word").expect("kept");
    for (reply, words) in [
        ("535 unknown: AGd3AHBhc3Mgd29yZA==", "535 (not told"),
        ("535-no: pass\r\n535 word", "535 (not told"),
        ("535 5.7.8 not accepted", "535 5.7.8 not accepted"),
    ] {
        let (listener, port) = listener().await;
        let target = target(&format!(
            "kind = \"email\"\nserver = \"localhost:{port}\"\nfrom = \"gw@example.org\"\n\
             to = \"a@example.org\"\nuser = \"gw\"\ntransport = \"tls\"\nca_file = \"ca.pem\""
        ));
        let server = async {
            let (stream, _) = listener.accept().await.expect("a visitor");
            let stream = tls.accept(stream).await.expect("TLS");
            let replies = [("EHLO", EHLO), ("AUTH PLAIN AGd3AHBhc3Mgd29yZA==", reply)];
            play(stream, true, &replies).await.0
        };
        let message = message();
        let (sent, _) = tokio::join!(send(ground.root(), &target, &message), server);
        let failure = sent.expect_err(reply);
        assert!(failure.words().contains(words), "{failure}");
        assert!(failure.words().starts_with("signing in as gw: "), "{failure}");
        assert!(!failure.words().contains("AGd3"), "{failure}");
    }
}

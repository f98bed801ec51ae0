//! What `[alerts.NAME]` takes, and what it says about the rest.

use super::*;
use crate::config::parse_pair;

const REST: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";

fn read_one(lines: &str) -> AlertTarget {
    let text = format!("{REST}[alerts.noc]\n{lines}\n");
    let pair = parse_pair("pair.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let [one] = pair.alerts.as_slice() else { panic!("{:?}", pair.alerts) };
    one.clone()
}

#[test]
fn each_kind_is_read_with_the_usual_port_of_its_transport() {
    let server = |host: &str, port| Server { host: host.to_owned(), port };
    let hook = read_one("kind = \"webhook\"\nurl = \"https://alerts.example.org/a?b=c\"");
    let url =
        Url { secure: true, server: server("alerts.example.org", 443), path: "/a?b=c".into() };
    assert_eq!(hook.channel, AlertChannel::Webhook { url });
    assert_eq!((hook.enabled, hook.severity), (true, AlertSeverity::Warning));
    assert_eq!((hook.per_hour, hook.conditions, hook.ca_file), (60, Vec::new(), None));
    let mail = |transport: &str| {
        let lines = format!(
            "kind = \"email\"\nserver = \"mail.example.org\"\nfrom = \"gw@example.org\"\n\
             to = \"noc@example.org\"\n{transport}"
        );
        match read_one(&lines).channel {
            AlertChannel::Email { server, transport, .. } => (server.port, transport),
            other @ (AlertChannel::Webhook { .. } | AlertChannel::Syslog { .. }) => {
                panic!("{other:?}")
            }
        }
    };
    assert_eq!(mail(""), (587, MailTransport::Starttls));
    assert_eq!(mail("transport = \"tls\""), (465, MailTransport::Tls));
    assert_eq!(mail("transport = \"tcp\""), (25, MailTransport::Tcp));
    for (lines, transport, port) in [
        ("server = \"2001:db8::5\"", SyslogTransport::Udp, 514),
        ("server = \"[2001:db8::5]:99\"\ntransport = \"tcp\"", SyslogTransport::Tcp, 99),
        ("server = \"2001:db8::5\"\ntransport = \"tls\"", SyslogTransport::Tls, 6514),
    ] {
        let line = read_one(&format!("kind = \"syslog\"\nfacility = \"local3\"\n{lines}"));
        let server = server("2001:db8::5", port);
        assert_eq!(line.channel, AlertChannel::Syslog { server, transport, facility: 19 });
    }
}

#[test]
fn a_web_address_is_written_as_it_was_read() {
    for text in [
        "https://alerts.example.org/",
        "https://alerts.example.org:8443/a/{secret}",
        "http://10.0.0.7/x?y=1",
        "http://[2001:db8::7]:81/",
    ] {
        let lines = format!("kind = \"webhook\"\nurl = \"{text}\"");
        let AlertChannel::Webhook { url } = read_one(&lines).channel else { panic!("{text}") };
        assert_eq!(url.to_string(), text);
    }
}

#[test]
fn each_wrong_value_is_told_at_its_place() {
    const MAIL: &str = "kind = \"email\"\nserver = \"m\"\nfrom = \"a@b\"\n";
    for (lines, wrong) in [
        ("url = \"https://a/\"".to_owned(), "alerts.noc.kind: missing"),
        ("kind = \"pager\"".to_owned(), "alerts.noc.kind = \"pager\": not one of the choices"),
        ("kind = \"webhook\"".to_owned(), "alerts.noc.url: missing"),
        ("kind = \"webhook\"\nurl = \"ftp://a/\"".to_owned(), "not a web address"),
        ("kind = \"webhook\"\nurl = \"https://u:p@a/\"".to_owned(), "not a web address"),
        ("kind = \"webhook\"\nurl = \"https://a:0/\"".to_owned(), "not a web address"),
        ("kind = \"webhook\"\nurl = \"https://a/ b\"".to_owned(), "not a web address"),
        (
            "kind = \"webhook\"\nurl = \"https://a/\"\nto = \"x@y\"".to_owned(),
            "alerts.noc.to = \"x@y\": means nothing for a target of the kind webhook; remove it",
        ),
        (format!("{MAIL}to = []"), "nobody would get it"),
        (format!("{MAIL}to = \"x y@z\""), "not a mail address"),
        (format!("{MAIL}to = \"<x@y>\""), "not a mail address"),
        (format!("{MAIL}to = \"x@y\"\ntransport = \"udp\""), "no way for e-mail"),
        (MAIL.to_owned(), "alerts.noc.to: missing; add 'to = \"noc@example.org\"'"),
        ("kind = \"syslog\"\nserver = \"a b\"".to_owned(), "not a server"),
        ("kind = \"syslog\"\nserver = \"a:\"".to_owned(), "not a server"),
        ("kind = \"syslog\"\nserver = \"[::1\"".to_owned(), "not a server"),
        (
            "kind = \"syslog\"\nserver = \"a\"\nconditions = \"Peer silent\"".to_owned(),
            "not a name of a condition",
        ),
        ("kind = \"syslog\"\nserver = \"a\"\nper_hour = 0".to_owned(), "out of range"),
        ("kind = \"syslog\"\nserver = \"a\"\nsevrity = \"info\"".to_owned(), "'severity'?"),
    ] {
        let errors = parse_pair("pair.toml", &format!("{REST}[alerts.noc]\n{lines}\n"));
        let text = errors.expect_err(&lines).to_string();
        assert!(text.contains(wrong), "{lines}: {text}");
    }
    let named = parse_pair(
        "pair.toml",
        &format!("{REST}[alerts.\"../x\"]\nkind = \"syslog\"\nserver = \"a\"\n"),
    );
    let text = named.expect_err("a path").to_string();
    assert!(text.contains("not a name of a target"), "{text}");
}

#[test]
fn no_guard_heeds_them() {
    let plain = parse_pair("pair.toml", REST).expect("right");
    let more = format!("{REST}[alerts.noc]\nkind = \"syslog\"\nserver = \"10.0.0.9\"\n");
    let pair = parse_pair("pair.toml", &more).expect("right");
    assert_eq!(pair.digest(), plain.digest());
}

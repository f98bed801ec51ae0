//! Lines as the services write them, and what is read from each.

use super::*;

/// 2026-11-30 10:00:05 UTC.
const READ_US: u64 = 1_796_032_805_000_000;
/// Central European winter.
const ZONE_S: i32 = 3_600;

fn read(line: &str, hint: Option<Format>) -> Fields {
    parse_line(line, hint, READ_US, ZONE_S).fields.unwrap_or_else(|| panic!("no fields: {line}"))
}

fn shown(line: &str, hint: Option<Format>) -> String {
    let fields = read(line, hint);
    let rest = fields.shown().into_iter().map(|(name, value)| format!(" {name}={value}"));
    fields.event.words().to_owned() + &rest.collect::<String>()
}

#[test]
fn times_are_read_in_every_form_and_a_missing_zone_is_that_of_the_node() {
    let at = |line: &str| written(line, READ_US, ZONE_S).map(|(at_us, _)| at_us);
    let ten = 1_796_032_800_000_000;
    for line in [
        "2026-11-30T10:00:00Z gw a: b",
        "2026-11-30T11:00:00+01:00 gw a: b",
        "2026-11-30T02:00:00.000000-0800 gw a: b",
        "2026-11-30 11:00:00 INFO",
        "[2026-11-30 11:00:00] INFO",
        "Nov 30 11:00:00 gw a: b",
        "<30>Nov 30 11:00:00 gw a: b",
        "<30>1 2026-11-30T11:00:00+01:00 gw a 1 - - b",
        "Mon Nov 30 11:00:00 2026 b",
        "1796032800 b",
        "1796032800.000 45 10.0.0.1",
        "[1796032800] b",
    ] {
        assert_eq!(at(line), Some(ten), "{line}");
    }
    assert_eq!(at("2026-11-30 11:00:00.250 INFO"), Some(ten + 250_000));
    assert_eq!(at("2026-11-30T10:00:00,1234567Z"), Some(ten + 123_456));
    assert_eq!(at("Nov  3 11:00:00 gw a: b"), Some(ten - 27 * 86_400_000_000));
    let last_year = at("Dec 24 11:00:00 gw a: b").expect("a time");
    assert_eq!((ten - last_year) / 86_400_000_000, 341, "of the year before");
    for line in [
        "",
        "no time",
        "Nov 31 11:00:00 gw",
        "Foo 30 11:00:00 gw",
        "2026-02-29T00:00:00Z",
        "2026-11-30T24:00:00Z",
        "2026-11-30",
        "17960328001 b",
        "1796032800x b",
        "Nov 30 11:00",
        "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
    ] {
        assert_eq!(at(line), None, "{line}");
    }
}

#[test]
fn a_line_without_a_year_at_new_year_is_of_the_year_that_is_nearest() {
    // 2027-01-01 00:00:05 UTC.
    let read_us = 1_798_761_605_000_000;
    let at = |line: &str| written(line, read_us, 0).expect("a time").0;
    assert_eq!(at("Dec 31 23:59:59 gw a: b"), 1_798_761_599_000_000);
    assert_eq!(at("Jan  1 00:00:03 gw a: b"), 1_798_761_603_000_000);
}

#[test]
fn dates_are_counted_as_the_calendar_does() {
    for ((year, month, day), days) in [
        ((1970, 1, 1), Some(0)),
        ((2000, 2, 29), Some(11_016)),
        ((1900, 2, 29), None),
        ((2026, 11, 30), Some(20_787)),
        ((2026, 13, 1), None),
        ((2026, 0, 1), None),
        ((2026, 1, 0), None),
    ] {
        assert_eq!(days_since_1970(year, month, day), days, "{year}-{month}-{day}");
    }
}

#[test]
fn dnsmasq_is_read() {
    let of = |text: &str| shown(&format!("Nov 30 11:00:00 gw dnsmasq-dhcp[812]: {text}"), None);
    for (line, wanted) in [
        (
            "DHCPDISCOVER(lan0) 08:00:27:aa:bb:cc",
            "lease wanted MAC=08:00:27:aa:bb:cc interface=lan0",
        ),
        (
            "DHCPOFFER(lan0) 10.0.0.5 08:00:27:aa:bb:cc",
            "lease offered address=10.0.0.5 MAC=08:00:27:aa:bb:cc interface=lan0",
        ),
        (
            "3567894 DHCPACK(lan0) 10.0.0.5 08:00:27:aa:bb:cc laptop",
            "lease granted address=10.0.0.5 MAC=08:00:27:aa:bb:cc host=laptop interface=lan0",
        ),
        (
            "DHCPNAK(lan0) 10.0.0.5 08:00:27:aa:bb:cc wrong network",
            "lease refused address=10.0.0.5 MAC=08:00:27:aa:bb:cc interface=lan0 because=wrong network",
        ),
        (
            "DHCPDISCOVER(lan0) 08:00:27:aa:bb:cc no address available",
            "no lease left MAC=08:00:27:aa:bb:cc interface=lan0 because=no address available",
        ),
        (
            "DHCPREPLY(lan0) 2001:db8::5 00:01:00:01:2c:5a:11:22:08:00:27:aa:bb:cc laptop",
            "lease granted address=2001:db8::5 MAC=00:01:00:01:2c:5a:11:22:08:00:27:aa:bb:cc \
             host=laptop interface=lan0",
        ),
    ] {
        assert_eq!(of(line), wanted);
    }
    let plain = "Nov 30 11:00:00 dnsmasq-dhcp[812]: DHCPRELEASE(lan0) 10.0.0.5 08:00:27:aa:bb:cc";
    assert_eq!(read(plain, None).event, Event::LeaseReleased, "a file of its own names no host");
    let other = "Nov 30 11:00:00 gw dnsmasq[812]: query[A] example.org from 10.0.0.5";
    assert_eq!(parse_line(other, Some(Format::Dnsmasq), READ_US, 0).fields, None);
}

#[test]
fn isc_dhcp_is_read() {
    let of = |text: &str| shown(&format!("2026-11-30T11:00:00+01:00 gw dhcpd[7]: {text}"), None);
    for (line, wanted) in [
        (
            "DHCPDISCOVER from 08:00:27:aa:bb:cc via lan0: network 10.0.0.0/24: no free leases",
            "no lease left MAC=08:00:27:aa:bb:cc interface=lan0 \
             because=network 10.0.0.0/24: no free leases",
        ),
        (
            "DHCPREQUEST for 10.0.0.5 (10.0.0.1) from 08:00:27:aa:bb:cc (laptop) via lan0",
            "lease requested address=10.0.0.5 MAC=08:00:27:aa:bb:cc host=laptop interface=lan0",
        ),
        (
            "DHCPACK on 10.0.0.5 to 08:00:27:aa:bb:cc (laptop) via lan0",
            "lease granted address=10.0.0.5 MAC=08:00:27:aa:bb:cc host=laptop interface=lan0",
        ),
        (
            "DHCPRELEASE of 10.0.0.5 from 08:00:27:aa:bb:cc via lan0 (found)",
            "lease released address=10.0.0.5 MAC=08:00:27:aa:bb:cc interface=lan0",
        ),
        ("DHCPINFORM from 10.0.0.5 via lan0", "settings asked address=10.0.0.5 interface=lan0"),
        (
            "Reply NA: address 2001:db8::5 to client with duid 00:01:00:01:2c:5a iaid = 1 valid \
             for 3600 seconds",
            "lease granted address=2001:db8::5 MAC=00:01:00:01:2c:5a for=3600 s",
        ),
    ] {
        assert_eq!(of(line), wanted);
    }
}

#[test]
fn kea_is_read_from_its_own_file_and_from_syslog() {
    let client = "[hwtype=1 08:00:27:aa:bb:cc], cid=[01:08:00:27:aa:bb:cc], tid=0x1f2e";
    let granted = "lease granted address=10.0.0.5 MAC=08:00:27:aa:bb:cc for=3600 s";
    let own = format!(
        "2026-11-30 11:00:00.123 INFO  [kea-dhcp4.leases/812.140123] DHCP4_LEASE_ALLOC {client}: \
         lease 10.0.0.5 has been allocated for 3600 seconds"
    );
    assert_eq!(shown(&own, Some(Format::Kea)), granted);
    let syslog = format!(
        "Nov 30 11:00:00 gw kea-dhcp4[812]: INFO  DHCP4_LEASE_ALLOC {client}: lease 10.0.0.5 has \
         been allocated for 3600 seconds"
    );
    assert_eq!(shown(&syslog, None), granted);
    let structured = format!(
        "<30>1 2026-11-30T11:00:00+01:00 gw kea-dhcp4 812 - - INFO  DHCP4_LEASE_ALLOC {client}: \
         lease 10.0.0.5 has been allocated for 3600 seconds"
    );
    assert_eq!(shown(&structured, None), granted);
    for (line, wanted) in [
        (
            format!("DHCP4_RELEASE {client}: address 10.0.0.5 was released properly."),
            "lease released address=10.0.0.5 MAC=08:00:27:aa:bb:cc",
        ),
        (
            format!(
                "DHCP4_DECLINE_LEASE Received DHCPDECLINE for addr 10.0.0.5 from client {client}. \
                 The lease will be unavailable for 86400 seconds."
            ),
            "lease declined address=10.0.0.5 MAC=08:00:27:aa:bb:cc",
        ),
        (
            format!(
                "ALLOC_ENGINE_V4_ALLOC_FAIL {client}: failed to allocate an IPv4 address after 3 \
                 attempt(s)"
            ),
            "no lease left MAC=08:00:27:aa:bb:cc \
             because=failed to allocate an IPv4 address after 3 attempt(s)",
        ),
        (
            "DHCP6_LEASE_ALLOC duid=[00:01:00:01:2c:5a], [no hwaddr info], tid=0xb0: lease for \
             address 2001:db8::5 and iaid=1 has been allocated for 4000 seconds"
                .to_owned(),
            "lease granted address=2001:db8::5 MAC=00:01:00:01:2c:5a for=4000 s",
        ),
    ] {
        assert_eq!(shown(&line, Some(Format::Kea)), wanted);
    }
}

#[test]
fn strongswan_is_read() {
    let of = |text: &str| shown(&format!("Nov 30 11:00:00 gw charon[9]: {text}"), None);
    for (line, wanted) in [
        ("06[IKE] 198.51.100.7 is initiating an IKE_SA", "tunnel begun from=198.51.100.7"),
        (
            "06[IKE] <work|3> IKE_SA work[3] established between \
             203.0.113.1[gw.example]...198.51.100.7[alice@example]",
            "tunnel up user=alice@example connection=work from=198.51.100.7",
        ),
        (
            "06[IKE] <work|3> CHILD_SA net{4} established with SPIs c1234567_i c7654321_o and TS \
             10.0.0.0/16 === 10.3.0.1/32",
            "tunnel up connection=net",
        ),
        (
            "06[IKE] <work|3> assigning virtual IP 10.3.0.1 to peer 'alice@example'",
            "address given address=10.3.0.1 user=alice@example connection=work",
        ),
        (
            "07[IKE] <work|3> deleting IKE_SA work[3] between \
             203.0.113.1[gw.example]...198.51.100.7[alice@example]",
            "tunnel down user=alice@example connection=work from=198.51.100.7",
        ),
        (
            "07[IKE] <work|4> IKE_SA work[5] rekeyed between \
             203.0.113.1[gw.example]...198.51.100.7[alice@example]",
            "tunnel rekeyed user=alice@example connection=work from=198.51.100.7",
        ),
        (
            "08[IKE] <work|4> EAP method EAP_MSCHAPV2 failed for peer bob",
            "sign-in refused user=bob connection=work \
             because=EAP method EAP_MSCHAPV2 failed for peer bob",
        ),
        (
            "08[IKE] <work|4> giving up after 5 retransmits",
            "tunnel failed connection=work because=giving up after 5 retransmits",
        ),
    ] {
        assert_eq!(of(line), wanted);
    }
    let plain = "IKE_SA work[3] state change: CONNECTING => ESTABLISHED";
    assert_eq!(parse_line(plain, Some(Format::Strongswan), READ_US, 0).fields, None);
    let half = "06[IKE] outbound CHILD_SA net{4} established with SPIs a_i b_o and TS c === d";
    assert_eq!(parse_line(half, Some(Format::Strongswan), READ_US, 0).fields, None);
}

#[test]
fn openvpn_is_read() {
    let of = |text: &str| shown(&format!("2026-11-30 11:00:00 {text}"), Some(Format::Openvpn));
    for (line, wanted) in [
        (
            "198.51.100.7:50123 TLS: Initial packet from [AF_INET]198.51.100.7:50123, sid=1 2",
            "tunnel begun from=198.51.100.7:50123",
        ),
        (
            "198.51.100.7:50123 [alice] Peer Connection Initiated with \
             [AF_INET]198.51.100.7:50123",
            "tunnel up user=alice from=198.51.100.7:50123",
        ),
        (
            "alice/198.51.100.7:50123 MULTI: primary virtual IP for alice/198.51.100.7:50123: \
             10.8.0.2",
            "address given address=10.8.0.2 user=alice from=198.51.100.7:50123",
        ),
        (
            "alice/[2001:db8::7]:50123 SIGTERM[soft,remote-exit] received, client-instance exiting",
            "tunnel down user=alice from=[2001:db8::7]:50123 \
             because=SIGTERM[soft,remote-exit] received, client-instance exiting",
        ),
        (
            "198.51.100.7:50123 TLS Auth Error: Auth Username/Password verification failed for peer",
            "sign-in refused from=198.51.100.7:50123 \
             because=TLS Auth Error: Auth Username/Password verification failed for peer",
        ),
        (
            "198.51.100.7:50123 VERIFY ERROR: depth=0, error=certificate has expired: CN=alice, \
             serial=1",
            "sign-in refused user=alice from=198.51.100.7:50123 because=VERIFY ERROR: depth=0, \
             error=certificate has expired: CN=alice, serial=1",
        ),
        ("Initialization Sequence Completed", "tunnel up"),
    ] {
        assert_eq!(of(line), wanted);
    }
    let unit =
        "Nov 30 11:00:00 gw ovpn-work[3]: 198.51.100.7:50123 TLS Error: TLS handshake failed";
    assert_eq!(read(unit, None).event, Event::TunnelFailed);
}

#[test]
fn wireguard_is_read() {
    let of = |text: &str| shown(&format!("Nov 30 11:00:00 gw {text}"), None);
    for (line, wanted) in [
        (
            "kernel: [  812.1] wireguard: wg0: Receiving handshake initiation from peer 4 \
             (198.51.100.7:51820)",
            "tunnel begun connection=peer 4 from=198.51.100.7:51820 interface=wg0",
        ),
        (
            "kernel: wireguard: wg0: Keypair 12 created for peer 4",
            "tunnel up connection=peer 4 interface=wg0",
        ),
        ("wg-quick[812]: [#] ip link add wg0 type wireguard", "tunnel up interface=wg0"),
        (
            "wg-quick[812]: [#] ip -4 address add 10.8.0.1/24 dev wg0",
            "address given address=10.8.0.1/24 interface=wg0",
        ),
        ("wg-quick[812]: [#] ip link delete dev wg0", "tunnel down interface=wg0"),
    ] {
        assert_eq!(of(line), wanted);
    }
    let other = "Nov 30 11:00:00 gw kernel: device wg0 entered promiscuous mode";
    assert_eq!(parse_line(other, None, READ_US, 0).fields, None);
}

#[test]
fn a_line_that_nobody_knows_is_just_a_line_and_a_field_has_a_longest_length() {
    for line in ["", " ", "DHCPACK", "DHCPACK(", "gw a[: b", "Nov 30 11:00:00", "::::", "[[[[]]]]"]
    {
        for hint in Format::ALL {
            let _ = parse_line(line, Some(hint), u64::MAX, i32::MIN);
        }
        assert_eq!(parse_line(line, None, READ_US, 0).fields, None, "{line}");
    }
    let long = format!("TLS Error: {}", "\u{e4}".repeat(3_000));
    let fields = read(&long, Some(Format::Openvpn));
    let reason = fields.reason.expect("why");
    assert!(reason.len() <= MAX_FIELD && reason.len() > MAX_FIELD - 2, "{}", reason.len());
    for format in Format::ALL {
        assert_eq!(Format::named(format.id()), Some(format));
    }
    assert_eq!(Format::named("lines"), None);
}

//! A helper's expectations and adjustments reach the other node.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use twinwall_flows::kernel::Conntrack;

use crate::net::{Lab, Space, turn};
use crate::two::{Two, flows};

const HELPER: &str = "
table ip helper {
  ct helper ftp { type \"ftp\" protocol tcp; }
  chain pre { type filter hook prerouting priority -150; tcp dport 21 ct helper set \"ftp\"; }
}";

fn expected(space: &Space) -> usize {
    space.inside(|| Conntrack::open().unwrap().expectations().unwrap().len())
}

fn adjusted(space: &Space) -> bool {
    let moved = |flow: &twinwall_flows::flow::Flow| {
        let [one, other] = flow.adjustments.unwrap_or_default();
        one.after != 0 || other.after != 0
    };
    flows(space).iter().any(moved)
}

#[test]
fn data_that_ftp_spoke_of_is_expected_on_both_nodes() {
    let _turn = turn();
    let lab = Lab::new();
    lab.active.nft(HELPER);
    lab.passive.nft(HELPER);
    let mut two = Two::start(&lab);
    let listener = lab.server.inside(|| TcpListener::bind("10.2.0.9:21")).unwrap();
    let mut client = lab.client.inside(|| TcpStream::connect("10.2.0.9:21")).unwrap();
    let mut server = listener.accept().unwrap().0;
    server.write_all(b"220 ready\r\n").unwrap();
    client.read_exact(&mut [0; 11]).unwrap();
    two.settle(Duration::from_secs(20));
    let helper = flows(&lab.passive).first().and_then(|flow| flow.helper);
    assert_eq!(helper.map(|name| name.as_str().to_owned()), Some("ftp".to_owned()));
    // The helper looks at whole lines, and so at none before the first has ended.
    client.write_all(b"USER x\r\n").unwrap();
    server.read_exact(&mut [0; 8]).unwrap();
    // Active mode: the client says where it listens, and NAT rewrites that, without zeros.
    client.write_all(b"PORT 10,1,0,9,080,001\r\n").unwrap();
    let mut said = [0; 64];
    let length = server.read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..length]).into_owned();
    assert!(said.starts_with("PORT 10,2,0,1,"), "{said}");
    assert_eq!(expected(&lab.active), 1);
    two.until(Duration::from_secs(10), "the expectation", |_| expected(&lab.passive) == 1);
    let listed = lab.passive.run("conntrack -L expect 2>/dev/null");
    assert!(listed.contains("helper=ftp"), "{listed}");
    // The rewritten line is shorter, and every number after it is adjusted.
    two.until(Duration::from_secs(10), "the adjustments", |_| adjusted(&lab.passive));
    // The data connection comes through the other gateway.
    let data = lab.client.inside(|| TcpListener::bind("10.1.0.9:20481")).unwrap();
    lab.move_cables();
    let numbers: Vec<u16> =
        said["PORT ".len()..].trim().split(',').map(|number| number.parse().unwrap()).collect();
    let port = numbers[4] << 8 | numbers[5];
    let mut sent = lab.server.inside(|| TcpStream::connect(("10.2.0.1", port))).unwrap();
    let mut taken = data.accept().unwrap().0;
    sent.write_all(b"data").unwrap();
    taken.read_exact(&mut [0; 4]).unwrap();
    // And the session itself goes on there, both ways.
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    }
    client.write_all(b"NOOP\r\n").unwrap();
    server.read_exact(&mut [0; 6]).expect("the client's line behind its adjusted numbers");
    server.write_all(b"200 fine\r\n").unwrap();
    client.read_exact(&mut [0; 10]).expect("the server's answer");
}

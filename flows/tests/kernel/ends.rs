//! Flows that end and others that begin in their place, in real kernels.

use std::time::{Duration, Instant};

use crate::net::{Lab, turn};
use crate::two::{Two, states};

const LIMIT: Duration = Duration::from_secs(20);

/// `conntrack` about a stream of datagrams between two clocks.
fn stream(verb: &str, from: &str, to: &str) -> String {
    let life = if verb == "-I" { "-t 300 -u SEEN_REPLY,ASSURED" } else { "" };
    format!("conntrack {verb} -p udp -s {from} -d {to} --sport 123 --dport 123 {life} 2>&1")
}

#[test]
fn a_flow_that_the_other_end_begins_is_not_removed_with_the_one_before() {
    let _turn = turn();
    let lab = Lab::new();
    let mut two = Two::start(&lab);
    two.settle(LIMIT);
    let (client, server) = ("10.1.0.9", "10.2.0.9");
    lab.active.run(&stream("-I", client, server));
    two.settle(LIMIT);
    assert_eq!(states(&lab.passive).len(), 1, "it was told");
    let swept = two.mirror.mirror.view(Instant::now()).resyncs;
    lab.active.run(&stream("-D", client, server));
    lab.active.run(&stream("-I", server, client));
    two.until(LIMIT, "the other one is there", |two| {
        two.both_say_complete() && states(&lab.passive) == states(&lab.active)
    });
    // Whatever is missing now shows in the number of entries.
    let end = Instant::now() + Duration::from_secs(3);
    two.until(LIMIT, "seconds later", |_| Instant::now() > end);
    assert_eq!(states(&lab.passive), states(&lab.active));
    assert_eq!(two.mirror.mirror.view(Instant::now()).resyncs, swept, "nothing was told anew");
}

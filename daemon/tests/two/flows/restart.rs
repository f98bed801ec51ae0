//! The passive's agent is killed while its guard and its kernel go on.

use std::net::TcpStream;

use rustix::process::{Pid, Signal, kill_process};

use super::{Between, SERVERS, converse, flows, has, inside, role};
use crate::support::Node;

/// The process of the node's agent, which `twinwall run` started.
fn agent_of(node: &Node) -> Option<u32> {
    let root = node.root.to_string_lossy().into_owned();
    let is_it = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split('\0').collect();
        words.contains(&"agent") && words.contains(&root.as_str())
    };
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(is_it)
}

/// Kills the agent alone: the guard and the kernel go on, and it is started again.
fn kill_agent(node: &Node) -> u32 {
    let agent = agent_of(node).expect("an agent runs");
    signal(agent, Signal::KILL);
    agent
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process.cast_signed()).expect("a process");
    kill_process(pid, signal).expect("told");
}

#[test]
fn an_agent_that_is_killed_goes_on_where_it_stood_whatever_happened_meanwhile() {
    let between = Between::serving();
    between.echo();
    let connect = |count: usize| -> Vec<TcpStream> {
        let mut streams: Vec<_> = (0..count).map(|_| between.connect(SERVERS[0])).collect();
        for stream in &mut streams {
            converse(stream, 2).expect("through the active gateway");
        }
        streams
    };
    let port = |stream: &TcpStream| stream.local_addr().expect("an address").port();
    let [a, b] = [&between.two.a, &between.two.b];
    let mut streams = connect(20);
    let settled = |streams: &[TcpStream]| {
        between.stands(a, b) && streams.iter().all(|stream| has(b, port(stream)))
    };
    between.wait("the passive has all of them", || settled(&streams));
    let is_anew = |old| agent_of(b).is_some_and(|agent| agent != old);
    let resumed = || flows(a)["last_resync"]["reason"].as_str().unwrap_or_default().to_owned();

    let old = kill_agent(b);
    let ended: Vec<u16> = streams.drain(..5).map(|stream| port(&stream)).collect();
    streams.append(&mut connect(7));
    between.wait("another agent has what was missed", || is_anew(old) && settled(&streams));
    assert_eq!(resumed(), "the other node was away for a moment");
    let gone = || !ended.iter().any(|port| has(b, *port));
    between.wait("what ended meanwhile is gone", gone);

    let old = kill_agent(b);
    inside(b, &["conntrack", "-F"]);
    streams.append(&mut connect(2));
    between.wait("a flushed table is filled again", || is_anew(old) && settled(&streams));
}

#[test]
fn whoever_moves_the_role_to_a_node_whose_agent_is_away_is_told_at_once() {
    let between = Between::serving();
    let [a, b] = [&between.two.a, &between.two.b];
    // What would start the agent again does not, for a while.
    signal(b.agent_id(), Signal::STOP);
    kill_agent(b);
    between.wait("the active knows", || flows(a)["complete_percent"].is_null());
    let mut said = String::new();
    // Right after the start the other node may not be ready for a planned move yet.
    between.wait("the order is taken", || {
        let ran = a.run(&["switchover"]);
        said = ran.err;
        ran.code == Some(0)
    });
    signal(b.agent_id(), Signal::CONT);
    assert!(said.contains("Connections: no connection to the other node."), "{said}");
    assert!(said.contains("To lose none"), "{said}");
    between.wait("it has moved all the same", || role(b) == "active");
    between.wait("and is whole again", || between.stands(b, a));
}

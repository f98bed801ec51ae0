//! The passive's agent is killed while its guard and its kernel go on.

use std::io::Read;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Between, SERVERS, converse, flows, has, inside, role};
use crate::support::{Node, is_able_beside, status};

/// The process of the node's agent, which `twinwall run` started.
fn agent_of(node: &Node) -> Option<u32> {
    process_of(node, "agent")
}

/// `twinwall run` itself, which starts an agent that has died again at once, unless it is stopped.
fn runner_of(node: &Node) -> u32 {
    process_of(node, "run").expect("it runs")
}

/// The process of `twinwall` with this verb on the node's root.
fn process_of(node: &Node, verb: &str) -> Option<u32> {
    let root = node.root.to_string_lossy().into_owned();
    let is_it = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split('\0').collect();
        let is_ours = words.first().is_some_and(|program| program.ends_with("/twinwall"));
        is_ours && words.contains(&verb) && words.contains(&root.as_str())
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
    let runner = runner_of(b);
    signal(runner, Signal::STOP);
    kill_agent(b);
    between.wait("the active knows", || flows(a)["complete_percent"].is_null());
    let mut said = String::new();
    // Right after the start the other node may not be ready for a planned move yet.
    between.wait("the order is taken", || {
        let ran = a.run(&["switchover"]);
        said = ran.err;
        ran.code == Some(0)
    });
    signal(runner, Signal::CONT);
    assert!(said.contains("Connections: no connection to the other node."), "{said}");
    assert!(said.contains("To lose none"), "{said}");
    between.wait("it has moved all the same", || role(b) == "active");
    between.wait("and is whole again", || between.stands(b, a));
}

/// Asks the server again and again, through the active gateway.
struct Pings(Child);

impl Pings {
    fn begin(between: &Between) -> Pings {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &between.client.0, "ping", "-q", "-i", "0.02", "10.2.0.9"]);
        Pings(command.stdout(Stdio::piped()).spawn().expect("ping starts"))
    }

    /// Questions without an answer, and what it says at its end.
    fn end(mut self) -> (u32, String) {
        signal(self.0.id(), Signal::INT);
        let mut told = String::new();
        let mut output = self.0.stdout.take().expect("a pipe");
        output.read_to_string(&mut told).expect("ping says something and ends");
        let counts = told.lines().find(|line| line.contains("packets transmitted")).unwrap_or("");
        let mut counts = counts.split(", ").map(|part| {
            let number = part.split(' ').next().unwrap_or_default();
            number.parse::<u32>().unwrap_or(0)
        });
        let (sent, heard) = (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
        assert!(sent > 100, "{told}");
        (sent - heard, told)
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn seconds_after_the_passives_agent_died_nobody_believes_that_connections_would_survive() {
    let between = Between::serving();
    between.echo();
    let [a, b] = [&between.two.a, &between.two.b];
    let mut stream = between.connect(SERVERS[0]);
    converse(&mut stream, 3).expect("through the active gateway");
    let ready = || a.run(&["ready"]).out;
    let lost = "onnections would not survive a failover";
    let term = || status(a)["role"]["epoch"].to_string();
    let all_is_well = || between.stands(a, b) && !ready().contains(lost) && is_able_beside(b, a);
    between.wait("nothing is said against it", all_is_well);
    let (before, pings) = (term(), Pings::begin(&between));
    // What would start the agent again does not.
    let runner = runner_of(b);
    signal(runner, Signal::STOP);
    kill_agent(b);
    let killed = Instant::now();
    between.wait("the active says what would be lost", || ready().contains(lost));
    assert!(killed.elapsed() > Duration::from_secs(4), "a restart has some seconds");
    let told = b.run(&["status"]).out;
    assert!(told.contains("this node's agent does not run"), "{told}");
    let told = a.run(&["explain"]).out;
    assert!(told.contains("waits until it has all connections"), "{told}");
    signal(runner, Signal::CONT);
    between.wait("all is well again", all_is_well);
    converse(&mut stream, 3).expect("as before");
    assert_eq!((role(a), term()), ("active".to_owned(), before), "no role moved");
    let (lost, told) = pings.end();
    // The last one may be on its way.
    assert!(lost <= 1, "{told}");
}

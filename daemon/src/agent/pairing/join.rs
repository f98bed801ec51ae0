//! The joining end: listens on every interface for an invitation, says so when the cable is
//! in a wrong port, and makes the pair by the code. A long operation of the agent.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::code::Code;
use super::exchange::{Agreed, Joiner, Output, Stop};
use super::invite::{introduction, said};
use super::{PORT, files, wire};
use crate::agent::api::error::Refusal;
use crate::agent::engine::run::Event;
use crate::agent::engine::state::Input;
use crate::agent::finder::{Finder, Neighbour};
use crate::agent::jobs::Job;
use crate::agent::netconf::live;
use crate::agent::node::Node;

/// How long an invitation is looked for.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks at what was heard.
const PAUSE: Duration = Duration::from_millis(100);
/// A wrong port is only told after this: the right one may be heard a moment later.
const SURE: Duration = Duration::from_secs(5);
/// Interfaces that are listened to; no appliance has more ports to try.
const MAX_INTERFACES: usize = 64;
/// How long the inviter may take to take the call.
const CONNECT: Duration = Duration::from_secs(5);

/// How to join.
pub struct Wanted {
    /// What the other node shows.
    pub code: Code,
    /// The HA link's interface, if the operator named one.
    pub interface: Option<String>,
}

/// Joins the node that invites; its name comes back.
///
/// # Errors
/// Why no pair was made.
pub async fn join(node: &Arc<Node>, wanted: &Wanted, job: &Job) -> Result<String, Refusal> {
    job.step("Looking for an invitation.");
    let inviter = tokio::select! {
        found = look(wanted.interface.as_deref()) => found?,
        () = job.cancelled() => return Err(Refusal::conflict("cancelled; nothing was changed")),
    };
    job.step(format!("{} invites on {}.", inviter.said.node, inviter.heard_on));
    let mut stream = connect(&inviter)
        .await
        .map_err(|error| Refusal::unreachable(format!("calling {}: {error}", inviter.said.node)))?;
    let (mut joiner, hello) = Joiner::new(introduction(node, &inviter.heard_on)?, &wanted.code);
    let made = async {
        wire::send(&mut stream, &hello).await?;
        talk(node, &mut joiner, &mut stream, job).await
    };
    let made = made.await;
    made.map_err(|stop| Refusal::conflict(joiner.left_alone(stop).to_string()))
}

async fn talk(
    node: &Arc<Node>,
    joiner: &mut Joiner,
    stream: &mut TcpStream,
    job: &Job,
) -> Result<String, Stop> {
    let mut peer = String::new();
    loop {
        let message = wire::receive(stream, joiner.limit()).await?;
        let outcome = joiner.receive(&message);
        let mut outputs = said(stream, outcome).await?;
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send(message) => wire::send(stream, &message).await?,
                Output::Tell(text) => job.step(text),
                Output::Keep(agreed) => {
                    peer.clone_from(&agreed.name);
                    let name = node.settings().name.clone();
                    let kept = keep(node, &name, agreed).await;
                    if let Ok(engine) = node.engine() {
                        // Until it is synchronised it has no history and can be no source.
                        engine.tell(Event::Input(Input::Lineage(None)));
                    }
                    let after = joiner.kept(kept.map_err(|stop| stop.to_string()));
                    outputs.extend(said(stream, after).await?);
                }
                Output::Paired => return Ok(peer),
            }
        }
    }
}

/// Writes the files on a thread that may wait for the disk.
pub(super) async fn keep(node: &Arc<Node>, name: &str, agreed: Box<Agreed>) -> Result<(), Stop> {
    let (root, name) = (node.root().to_owned(), name.to_owned());
    let kept = tokio::task::spawn_blocking(move || files::keep(&root, &name, &agreed)).await;
    kept.unwrap_or_else(|error| Err(Stop::NotKept(error.to_string())))
}

/// Listens everywhere; the one invitation on the right port is taken.
async fn look(named: Option<&str>) -> Result<Neighbour, Refusal> {
    let mut interfaces = live::interfaces()
        .map_err(|error| Refusal::machine(format!("listing this machine's interfaces: {error}")))?;
    interfaces.retain(|name| name != "lo");
    let all = interfaces.join(", ");
    if let Some(named) = named.filter(|named| !interfaces.iter().any(|it| it == named)) {
        let wrong = format!("this machine has no interface {named}; it has {all}");
        return Err(Refusal::invalid(wrong));
    }
    let listening = interfaces.iter().take(MAX_INTERFACES);
    let finders: Vec<Finder> =
        listening.map(|name| Finder::start(name, None, Vec::new())).collect();
    let began = Instant::now();
    let mut wrong = None;
    while began.elapsed() < LOOK {
        sleep(PAUSE).await;
        let heard = finders.iter().flat_map(|finder| finder.neighbours().borrow().clone());
        let invites: Vec<Neighbour> = heard.filter(|it| it.said.inviting.is_some()).collect();
        match chosen(&invites, named) {
            Choice::One(inviter) => return Ok(*inviter),
            Choice::Several(names) => {
                return Err(Refusal::conflict(format!(
                    "several nodes invite on this cable: {names}; withdraw all invitations but one"
                )));
            }
            Choice::Wrong(why) if began.elapsed() > SURE => return Err(Refusal::conflict(why)),
            Choice::Wrong(why) => wrong = Some(why),
            Choice::None => {}
        }
    }
    Err(Refusal::conflict(wrong.unwrap_or_else(|| {
        format!(
            "no invitation was heard within {} s on {all}; is 'twinwall pair invite' open on the \
             other node, and the cable in?",
            LOOK.as_secs()
        )
    })))
}

enum Choice {
    None,
    One(Box<Neighbour>),
    Several(String),
    /// An invitation is heard where it should not be.
    Wrong(String),
}

fn chosen(invites: &[Neighbour], named: Option<&str>) -> Choice {
    let right = |it: &&Neighbour| {
        it.heard_on == it.said.interface && named.is_none_or(|named| named == it.heard_on)
    };
    let good: Vec<&Neighbour> = invites.iter().filter(right).collect();
    let Some(first) = good.first() else {
        return match invites.first() {
            Some(it) => Choice::Wrong(wrong_port(it, named)),
            None => Choice::None,
        };
    };
    if good.iter().any(|it| it.said.certificate != first.said.certificate) {
        let names: Vec<&str> = good.iter().map(|it| it.said.node.as_str()).collect();
        return Choice::Several(names.join(", "));
    }
    // The listener is one of IPv6, whose link-local address is always there.
    match good.iter().find(|it| it.address.is_ipv6()) {
        Some(best) => Choice::One(Box::new((**best).clone())),
        None => Choice::Wrong(format!(
            "{} is heard by IPv4 only on {}: pairing needs IPv6 link-local addresses on the HA \
             link; switch IPv6 on there (net.ipv6.conf.{}.disable_ipv6=0)",
            first.said.node, first.heard_on, first.heard_on
        )),
    }
}

fn wrong_port(it: &Neighbour, named: Option<&str>) -> String {
    let (here, there) = (&it.heard_on, &it.said.interface);
    match named {
        Some(named) if here == there => format!(
            "{} invites on {here}, not on {named}: name that one, or plug the cable into {named} \
             on both nodes",
            it.said.node
        ),
        _ => format!(
            "wrong port cabled: the cable leads from {here} here to {there} of {}; the HA link has \
             the same name on both nodes, so plug it into the port of that name",
            it.said.node
        ),
    }
}

async fn connect(inviter: &Neighbour) -> std::io::Result<TcpStream> {
    let silent = || std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer");
    let stream = timeout(CONNECT, async {
        loop {
            match connect_once(inviter).await {
                // An own link-local address may still be looking for duplicates.
                Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
                    sleep(PAUSE).await;
                }
                connected => return connected,
            }
        }
    });
    let stream = stream.await.map_err(|_| silent())??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_once(inviter: &Neighbour) -> std::io::Result<TcpStream> {
    let mut address = inviter.address;
    address.set_port(inviter.said.inviting.unwrap_or(PORT));
    let socket = TcpSocket::new_v6()?;
    socket.bind_device(Some(inviter.heard_on.as_bytes()))?;
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::digest::Digest;
    use crate::agent::finder::{Announcement, VERSION};

    fn invitation(node: &str, heard_on: &str, interface: &str) -> Neighbour {
        let said = Announcement {
            version: VERSION,
            run: 1,
            certificate: Digest::of(node.as_bytes()),
            interface: interface.to_owned(),
            node: node.to_owned(),
            pair_id: None,
            inviting: Some(PORT),
        };
        Neighbour::heard("[fe80::1%2]:8856".parse().expect("an address"), heard_on, said)
    }

    #[tokio::test]
    async fn the_invitation_on_the_right_port_is_taken_and_a_wrong_port_named() {
        let wrong = invitation("gw-a", "eth3", "ha0");
        let right = invitation("gw-a", "ha0", "ha0");
        let found = chosen(&[wrong.clone(), right.clone()], None);
        assert!(matches!(found, Choice::One(it) if *it == right));
        let Choice::Wrong(words) = chosen(&[wrong], None) else { panic!("a wrong port") };
        assert!(words.contains("from eth3 here to ha0 of gw-a"), "{words}");
        let named = chosen(std::slice::from_ref(&right), Some("eth1"));
        let Choice::Wrong(words) = named else { panic!("another port") };
        assert!(words.contains("invites on ha0, not on eth1"), "{words}");
        let other = invitation("gw-x", "ha0", "ha0");
        let Choice::Several(names) = chosen(&[right, other], None) else { panic!("two invite") };
        assert_eq!(names, "gw-a, gw-x");
    }
}

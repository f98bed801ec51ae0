//! The inviting end: shows a code, listens on the HA link while the invitation is open, and
//! makes the pair with the node that knows the code. A long operation of the agent.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use twinwall_core::ids::Designation;
use twinwall_core::time::Moment;

use super::code::Code;
use super::exchange::{Introduction, Inviter, Output, Stop, Terms};
use super::files::first_settings;
use super::invitation::{Invitation, LIFE};
use super::message::{Clear, MAX_CLEAR, Reason};
use super::{PORT, random, wire};
use crate::agent::api::error::Refusal;
use crate::agent::callers::{Callers, Place};
use crate::agent::engine::run::Event;
use crate::agent::engine::state::Input;
use crate::agent::finder::Neighbour;
use crate::agent::identity::Identity;
use crate::agent::jobs::Job;
use crate::agent::node::Node;
use crate::agent::store::Lineage;

/// Connections that wait to be taken.
const BACKLOG: u32 = 128;
/// Callers at a time who have not proved that they have the code. The next one takes the
/// place of another, so that a stranger who only connects keeps nobody out.
const MAX_TALKS: usize = 16;
/// Callers who came to nothing of whom the operator is told: a flood of them shall not fill
/// the steps that end with the pair.
const MAX_TOLD: usize = 20;
/// How long other pairs are listened for before a pair's number is drawn.
const LISTEN: Duration = Duration::from_millis(1500);

/// What is invited to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The HA link's interface.
    pub interface: String,
    /// This node's part in the pair.
    pub designation: Designation,
}

/// What is shown while it is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// What to type on the other node.
    pub code: String,
    /// By which interface.
    pub interface: String,
    /// For how many seconds it is open, from the beginning of the operation.
    pub open_s: u64,
}

/// Opens an invitation and waits for the other node; its name comes back.
///
/// # Errors
/// Why no pair was made.
pub async fn invite(node: &Arc<Node>, wanted: &Wanted, job: &Job) -> Result<String, Refusal> {
    let interface = &wanted.interface;
    let machine = |error: std::io::Error| {
        Refusal::machine(format!("listening on {interface}: {error}; is there such an interface?"))
    };
    let own = introduction(node, interface)?;
    let listener = listen(interface).map_err(machine)?;
    let calling =
        node.call_out(interface, PORT).map_err(|error| Refusal::machine(error.to_string()))?;
    let settings = settings(node, interface, &calling).await?;
    let code = Code::of(random()?);
    let shown = code.to_string();
    job.show(Shown { code: shown.clone(), interface: interface.clone(), open_s: LIFE.as_secs() });
    job.step(format!(
        "Code: {shown}\nOn the other node: twinwall pair join {shown}\nOpen for {} minutes on \
         {interface}.",
        LIFE.as_secs() / 60
    ));
    let began = Instant::now();
    let open = Arc::new(Open {
        node: Arc::clone(node),
        own,
        terms: Terms { own: wanted.designation, settings },
        invitation: Mutex::new(Invitation::new(code, Moment::ZERO)),
        began,
    });
    tokio::select! {
        made = wait(&open, &listener, job) => made,
        () = sleep(LIFE) => Err(Refusal::conflict(
            "the invitation is over: nobody joined within ten minutes; invite again",
        )),
        () = job.cancelled() => Err(Refusal::conflict("the invitation was withdrawn")),
    }
}

/// What all conversations of an invitation share.
struct Open {
    node: Arc<Node>,
    own: Introduction,
    terms: Terms,
    invitation: Mutex<Invitation>,
    began: Instant,
}

/// How a conversation ended.
struct Talked {
    from: IpAddr,
    had_the_code: bool,
    made: Result<String, Stop>,
}

async fn wait(open: &Arc<Open>, listener: &TcpListener, job: &Job) -> Result<String, Refusal> {
    let mut talks: JoinSet<Talked> = JoinSet::new();
    let (tell, mut told) = tokio::sync::mpsc::channel::<String>(64);
    let mut callers = Callers::new(MAX_TALKS);
    let mut ended_talks = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, from) = accepted.map_err(|error| {
                    Refusal::machine(format!("waiting for the other node: {error}"))
                })?;
                let place = callers.admit(from.ip());
                let (open, tell) = (Arc::clone(open), tell.clone());
                talks.spawn(async move {
                    let mut place = Some(place);
                    let made = open.talk(stream, &mut place, &tell).await;
                    Talked { from: from.ip(), had_the_code: place.is_none(), made }
                });
            }
            Some(text) = told.recv() => job.step(text),
            Some(ended) = talks.join_next() => match ended {
                Ok(Talked { made: Ok(peer), .. }) => return Ok(peer),
                Ok(Talked { from, had_the_code, made: Err(stop) }) => {
                    ended_talks += 1;
                    if had_the_code || ended_talks <= MAX_TOLD {
                        job.step(format!("{from} called. No pair with it: {stop}"));
                    }
                    open.still_open(had_the_code)?;
                }
                Err(error) => job.step(format!("The conversation broke off: {error}")),
            },
        }
    }
}

impl Open {
    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    /// Whether there can still be a pair, after a conversation ended without one.
    fn still_open(&self, had_the_code: bool) -> Result<(), Refusal> {
        let invitation = self.invitation.lock().unwrap_or_else(PoisonError::into_inner);
        match invitation.check(self.now()) {
            Err(Reason::WrongCode { .. }) => Err(Refusal::conflict(
                "the invitation is over: three wrong codes; look who is on the HA link, and \
                 invite again",
            )),
            // While the node that has the code is still there, other callers end nothing.
            Err(Reason::Used {}) if had_the_code => Err(Refusal::conflict(
                "the invitation is over: its code was used, but no pair came of it; invite again",
            )),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn talk(
        &self,
        mut stream: TcpStream,
        place: &mut Option<Place>,
        tell: &tokio::sync::mpsc::Sender<String>,
    ) -> Result<String, Stop> {
        let mut inviter = Inviter::new(self.own.clone(), self.terms.clone());
        let mut peer = String::new();
        loop {
            let message = next(&mut stream, inviter.limit(), place).await?;
            let outcome = {
                let mut invitation = self.invitation.lock().unwrap_or_else(PoisonError::into_inner);
                inviter.receive(self.now(), &mut invitation, &message)
            };
            if outcome.is_ok() && inviter.limit() > MAX_CLEAR {
                // It has the code: nobody takes its place.
                *place = None;
            }
            let mut outputs = said(&mut stream, outcome).await?;
            while let Some(output) = outputs.pop_front() {
                match output {
                    Output::Send(message) => wire::send(&mut stream, &message).await?,
                    // Nobody listens any more: the pair is made all the same.
                    Output::Tell(text) => drop(tell.send(text).await),
                    Output::Keep(agreed) => {
                        peer.clone_from(&agreed.name);
                        let kept = super::join::keep(&self.node, &self.own.node, agreed).await;
                        begin_history(&self.node);
                        let after = inviter.kept(kept.map_err(|stop| stop.to_string()));
                        outputs.extend(said(&mut stream, after).await?);
                    }
                    Output::Paired => return Ok(peer),
                }
            }
        }
    }
}

/// The next message, unless the caller's place, if it still needs one, goes to another.
async fn next(
    stream: &mut TcpStream,
    limit: usize,
    place: &mut Option<Place>,
) -> Result<Vec<u8>, Stop> {
    let Some(place) = place else { return wire::receive(stream, limit).await };
    tokio::select! {
        message = wire::receive(stream, limit) => return message,
        () = place.lost() => {}
    }
    let _ = wire::send(stream, &Clear::Refused(Reason::Busy {}).encode()).await;
    Err(Stop::Found(Reason::Busy {}))
}

/// This node's configuration is the one that has a history from now on, unless it belongs to
/// one already.
pub fn begin_history(node: &Node) {
    // Without random numbers there was no key either.
    let Ok(bytes) = random::<16>() else { return };
    if let Ok(engine) = node.engine() {
        engine.tell(Event::Input(Input::Begin(Lineage(u128::from_be_bytes(bytes)))));
    }
}

/// What follows, or the end, whose last word is said.
pub(super) async fn said(
    stream: &mut TcpStream,
    outcome: super::exchange::Outcome,
) -> Result<std::collections::VecDeque<Output>, Stop> {
    match outcome {
        Ok(outputs) => Ok(outputs.into()),
        Err(ended) => {
            if let Some(last) = &ended.say {
                // It may be gone; why this end stops is said here in any case.
                let _ = wire::send(stream, last).await;
            }
            Err(ended.stop)
        }
    }
}

/// This node, as the other one shall know it.
pub(super) fn introduction(node: &Node, interface: &str) -> Result<Introduction, Refusal> {
    let identity = Identity::load_or_create(node.root())
        .map_err(|error| Refusal::machine(error.to_string()))?;
    let name = node.settings().name.clone();
    Ok(Introduction::new(name, interface.to_owned(), identity.certificate().clone()))
}

/// The settings that both shall have: these, or the least that there can be.
async fn settings(
    node: &Node,
    interface: &str,
    calling: &crate::agent::node::Calling,
) -> Result<String, Refusal> {
    let path = node.root().join(crate::files::PAIR);
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Refusal::machine(format!("reading {}: {error}", path.display())));
        }
    }
    // Another pair on this segment calls out every second.
    sleep(LISTEN).await;
    let heard = calling.neighbours().borrow().clone();
    Ok(first_settings(free_number(&heard)?, interface))
}

/// A number that no pair that is heard has.
fn free_number(heard: &[Neighbour]) -> Result<u16, Refusal> {
    loop {
        let number = u16::from_be_bytes(random()?);
        if number != 0 && heard.iter().all(|it| it.said.pair_id != Some(number)) {
            return Ok(number);
        }
    }
}

/// Only on this interface, only while this lives.
fn listen(interface: &str) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv6Addr::UNSPECIFIED, PORT).into())?;
    socket.listen(BACKLOG)
}

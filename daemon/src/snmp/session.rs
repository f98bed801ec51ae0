//! The session with snmpd: opened, regions registered, questions answered side by side,
//! notifications handed over; and once a second what the agent has to say. Ends with snmpd.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{interval, timeout};

use super::agentx::{HEADER, Header, Numbers, Order, Said, decode_header, decode_pdu, encode};
use super::answer::{Answer, Answering, error};
use super::mib;
use super::notify::{Waiting, varbinds};
use crate::agent::api::snmp::NEWS;
use crate::agent::snmp::value::Oid;
use crate::agent::snmp::view::{Context, News};
use crate::web::agent::Agent;

/// How long snmpd waits for an answer: the other node's snmpd may have to read a large table.
const TIMEOUT_S: u8 = 5;
/// Messages on their way in or out at the most; whoever sends more waits.
const MAX_QUEUED: usize = 64;
/// Questions that are being answered at the most; those beyond are refused, and counted.
const MAX_OPEN: usize = 32;
/// Between two questions to the agent.
const LOOK: Duration = Duration::from_secs(1);
/// How long it may take to say what is new: it answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a node's context has: all that snmpd serves but SNMP's own users and views.
const REGIONS: [[u32; 6]; 2] = [[1, 3, 6, 1, 2, 1], [1, 3, 6, 1, 4, 1]];

/// What snmpd says of a region that another session has (RFC 2741, section 6.2.16).
const DUPLICATE: u16 = 263;

type Message = (Header, Said);
/// A context, and what below it is twinwall's to answer.
type Region = (String, Oid);

/// Speaks with snmpd until one of the two ends; says why.
pub(super) async fn run(stream: UnixStream, agent: Agent) -> String {
    let (reader, writer) = stream.into_split();
    let (out, outgoing) = mpsc::channel(MAX_QUEUED);
    let (into, mut incoming) = mpsc::channel(MAX_QUEUED);
    let writing = tokio::spawn(write(writer, outgoing));
    let reading = tokio::spawn(read(reader, into));
    let ended = talk(&out, &mut incoming, agent).await;
    drop(out);
    let _ = timeout(LOOK, writing).await;
    let read = if reading.is_finished() { reading.await.ok().flatten() } else { None };
    read.unwrap_or(ended)
}

async fn write(mut writer: OwnedWriteHalf, mut outgoing: mpsc::Receiver<Vec<u8>>) {
    while let Some(message) = outgoing.recv().await {
        if writer.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// Hands on what snmpd says until it ends; says what it said wrong.
async fn read(mut reader: OwnedReadHalf, into: mpsc::Sender<Message>) -> Option<String> {
    loop {
        let message = match read_one(&mut reader).await {
            Ok(message) => message,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Some(format!("snmpd sent {error}"));
            }
            Err(_) => return None,
        };
        if into.send(message).await.is_err() {
            return None;
        }
    }
}

async fn read_one(reader: &mut OwnedReadHalf) -> io::Result<Message> {
    let invalid = |wrong| io::Error::new(io::ErrorKind::InvalidData, wrong);
    let mut bytes = [0; HEADER];
    reader.read_exact(&mut bytes).await?;
    let header = decode_header(&bytes).map_err(invalid)?;
    let mut content = vec![0; header.length];
    reader.read_exact(&mut content).await?;
    let said = decode_pdu(&header, &content).map_err(invalid)?;
    Ok((header, said))
}

const ENDED: &str = "snmpd ended the session";

async fn talk(
    out: &mpsc::Sender<Vec<u8>>,
    incoming: &mut mpsc::Receiver<Message>,
    agent: Agent,
) -> String {
    let open = Order::Open { timeout: TIMEOUT_S, about: "twinwall" };
    let numbers = Numbers { packet: 1, ..Numbers::default() };
    if out.send(encode(&open, numbers)).await.is_err() {
        return ENDED.to_owned();
    }
    let Some((header, said)) = incoming.recv().await else { return ENDED.to_owned() };
    match said {
        Said::Response { error: 0 } => {}
        Said::Response { error } => return format!("snmpd refused the session with error {error}"),
        Said::Get { .. }
        | Said::GetNext { .. }
        | Said::GetBulk { .. }
        | Said::TestSet
        | Said::CommitSet
        | Said::UndoSet
        | Said::CleanupSet
        | Said::Close => return "snmpd answered something else".to_owned(),
    }
    let counts = Arc::new(Counts::default());
    // Notices must not be overwritten by those of the next second.
    let (tell, news) = mpsc::channel(1);
    let asking = tokio::spawn(ask(agent.clone(), Arc::clone(&counts), tell));
    let mut session = Session {
        out: out.clone(),
        number: header.session,
        packet: 1,
        registered: BTreeSet::new(),
        unanswered: BTreeMap::new(),
        refused: BTreeSet::new(),
        waiting: Waiting::default(),
        answering: Arc::new(Answering::by(&agent)),
        places: Arc::new(Semaphore::new(MAX_OPEN)),
        counts,
        contexts: Arc::default(),
    };
    let ended = session.go_on(incoming, news).await;
    asking.abort();
    ended
}

/// What was done so far.
#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    refused: AtomicU64,
    notified: AtomicU64,
    unsent: AtomicU64,
}

/// Asks the agent for news once a second.
async fn ask(agent: Agent, counts: Arc<Counts>, tell: mpsc::Sender<News>) {
    let mut due = interval(LOOK);
    let mut heard: Option<u64> = None;
    loop {
        due.tick().await;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut path = format!(
            "{NEWS}?answered={}&refused={}&notified={}&unsent={}",
            count(&counts.answered),
            count(&counts.refused),
            count(&counts.notified),
            count(&counts.unsent)
        );
        if let Some(heard) = heard {
            path += &format!("&heard={heard}");
        }
        // An agent that is away starts anew; its notices wait for it.
        let Ok(Ok(news)) = timeout(PATIENCE, agent.get::<News>(&path)).await else { continue };
        heard = Some(news.heard);
        if tell.send(news).await.is_err() {
            return;
        }
    }
}

struct Session {
    out: mpsc::Sender<Vec<u8>>,
    number: u32,
    packet: u32,
    /// What is registered; in the empty context that is TWINWALL-MIB.
    registered: BTreeSet<Region>,
    /// Of these snmpd has not said yet whether it takes them, by the number of the message.
    unanswered: BTreeMap<u32, Region>,
    /// Those that it refused when it was asked last: each is told once.
    refused: BTreeSet<Region>,
    waiting: Waiting,
    answering: Arc<Answering>,
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
    contexts: Arc<Vec<Context>>,
}

impl Session {
    async fn go_on(
        &mut self,
        incoming: &mut mpsc::Receiver<Message>,
        mut news: mpsc::Receiver<News>,
    ) -> String {
        if self.register(BTreeSet::from([own_region()])).await.is_none() {
            return ENDED.to_owned();
        }
        loop {
            let done = tokio::select! {
                message = incoming.recv() => match message {
                    None | Some((_, Said::Close)) => None,
                    Some(message) => self.take(message).await,
                },
                news = news.recv() => match news {
                    Some(news) => self.hear(news).await,
                    None => None,
                },
            };
            if done.is_none() {
                return ENDED.to_owned();
            }
        }
    }

    /// Answers a question on a task of its own: one that waits for the other node holds up no
    /// other.
    async fn take(&mut self, (header, said): Message) -> Option<()> {
        if let Said::Response { error } = said {
            if let Some(told) = self.answered(header.packet, error) {
                eprintln!("twinwall snmp: {told}");
            }
            return Some(());
        }
        let numbers = Numbers {
            session: header.session,
            transaction: header.transaction,
            packet: header.packet,
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            let answer = Answer { error: error::GENERAL, ..Answer::default() };
            return self.out.send(response(&answer, numbers)).await.ok();
        };
        let (answering, counts) = (Arc::clone(&self.answering), Arc::clone(&self.counts));
        let (contexts, out) = (Arc::clone(&self.contexts), self.out.clone());
        tokio::spawn(async move {
            if let Some(answer) = answering.answer(said, &contexts).await {
                counts.answered.fetch_add(1, Ordering::Relaxed);
                // Without a session nobody waits for it.
                let _ = out.send(response(&answer, numbers)).await;
            }
            drop(place);
        });
        Some(())
    }

    /// Takes in what the agent says: contexts, and notices.
    async fn hear(&mut self, news: News) -> Option<()> {
        let names = news.contexts.iter().map(|it| &it.name);
        let all = names.flat_map(|name| REGIONS.map(|below| (name.clone(), Oid::of(&below))));
        let wanted: BTreeSet<Region> = all.chain([own_region()]).collect();
        self.contexts = Arc::new(news.contexts);
        let gone: Vec<Region> = self.registered.difference(&wanted).cloned().collect();
        for region in gone {
            let (context, below) = &region;
            self.say(&Order::Unregister { context, below }).await?;
            self.registered.remove(&region);
        }
        self.register(wanted).await?;
        for notice in self.waiting.take(Instant::now(), news.notices, news.speaks) {
            let varbinds = varbinds(&notice, &news.node);
            self.say(&Order::Notify { varbinds: &varbinds }).await?;
            self.counts.notified.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.unsent.store(self.waiting.unsent, Ordering::Relaxed);
        Some(())
    }

    /// Registers what is not; what snmpd refused, too: the session that had it may be over.
    async fn register(&mut self, wanted: BTreeSet<Region>) -> Option<()> {
        let fresh: Vec<Region> = wanted.difference(&self.registered).cloned().collect();
        for region in fresh {
            let (context, below) = &region;
            self.say(&Order::Register { context, below }).await?;
            self.unanswered.insert(self.packet, region.clone());
            self.registered.insert(region);
        }
        Some(())
    }

    /// Takes in what snmpd says of a message; gives what is to be told of it.
    fn answered(&mut self, packet: u32, error: u16) -> Option<String> {
        let Some(region) = self.unanswered.remove(&packet) else {
            return (error != 0).then(|| format!("snmpd refused a message with error {error}"));
        };
        let of = match region.0.as_str() {
            "" => region.1.to_string(),
            context => format!("{} in the context {context}", region.1),
        };
        if error == 0 {
            return self.refused.remove(&region).then(|| format!("snmpd takes {of} now"));
        }
        self.registered.remove(&region);
        let why = match error {
            DUPLICATE => "another session has it, as of a twinwall snmp that has not ended".into(),
            other => format!("error {other}"),
        };
        let is_news = self.refused.insert(region);
        is_news.then(|| format!("snmpd does not take {of}: {why}; it is tried again"))
    }

    /// None once the session has ended.
    async fn say(&mut self, order: &Order<'_>) -> Option<()> {
        self.packet = self.packet.wrapping_add(1);
        let numbers = Numbers { session: self.number, transaction: 0, packet: self.packet };
        self.out.send(encode(order, numbers)).await.ok()
    }
}

/// TWINWALL-MIB, in the default context.
fn own_region() -> Region {
    (String::new(), mib::root())
}

fn response(answer: &Answer, numbers: Numbers) -> Vec<u8> {
    let Answer { error, index, varbinds } = answer;
    encode(&Order::Response { error: *error, index: *index, varbinds }, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::snmp::view::Which;

    fn news(names: &[&str]) -> News {
        let context = |name: &&str| Context { name: (*name).to_owned(), node: Which::Here };
        News {
            node: "gw-a".to_owned(),
            contexts: names.iter().map(context).collect(),
            notices: Vec::new(),
            heard: 0,
            speaks: true,
        }
    }

    fn session(out: mpsc::Sender<Vec<u8>>) -> Session {
        Session {
            out,
            number: 1,
            packet: 1,
            registered: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            refused: BTreeSet::new(),
            waiting: Waiting::default(),
            answering: Arc::new(Answering::by(&Agent::below(std::path::Path::new("/none")))),
            places: Arc::new(Semaphore::new(MAX_OPEN)),
            counts: Arc::default(),
            contexts: Arc::default(),
        }
    }

    /// An snmpd that has not noticed yet that the session before this one is over.
    #[tokio::test]
    async fn what_another_session_has_is_named_once_and_registered_when_that_is_over() {
        let (out, mut outgoing) = mpsc::channel(MAX_QUEUED);
        let mut session = session(out);
        session.hear(news(&["gw-a"])).await.expect("told");
        let asked = session.unanswered.clone();
        assert_eq!(asked.len(), 3, "TWINWALL-MIB, and two regions of gw-a");
        let told: Vec<String> =
            asked.keys().filter_map(|packet| session.answered(*packet, DUPLICATE)).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().any(|it| it.contains("in the context gw-a: another session")));
        session.hear(news(&["gw-a"])).await.expect("told");
        let again = session.unanswered.clone();
        assert_eq!(again.len(), 3, "they are tried again");
        let mut packets = again.keys();
        assert_eq!(session.answered(*packets.next().expect("one"), DUPLICATE), None, "told once");
        for packet in packets {
            assert!(session.answered(*packet, 0).is_some_and(|told| told.contains("takes")));
        }
        session.hear(news(&[])).await.expect("told");
        assert_eq!(session.registered, BTreeSet::from([own_region()]), "gw-a is gone");
        assert_eq!(
            session.answered(99, 5).as_deref(),
            Some("snmpd refused a message with error 5")
        );
        let mut messages = 0;
        while outgoing.try_recv().is_ok() {
            messages += 1;
        }
        assert_eq!(messages, 3 + 3 + 3, "the third time what is still refused, and what goes");
    }
}

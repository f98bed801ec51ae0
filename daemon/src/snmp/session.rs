//! The session with snmpd: opened, regions registered, questions answered side by side,
//! notifications handed over; and once a second what the agent has to say. Ends with snmpd.

use std::collections::BTreeSet;
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

type Message = (Header, Said);

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
    /// The contexts in which regions are registered; the empty one has TWINWALL-MIB.
    registered: BTreeSet<String>,
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
        if self.register("", &[mib::root()]).await.is_none() {
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
            if error != 0 {
                eprintln!("twinwall snmp: snmpd refused a message with error {error}");
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
        let wanted: BTreeSet<String> = news.contexts.iter().map(|it| it.name.clone()).collect();
        let regions: Vec<Oid> = REGIONS.iter().map(|region| Oid::of(region)).collect();
        let own = |name: &&String| !name.is_empty();
        let gone: Vec<String> = self.registered.difference(&wanted).filter(own).cloned().collect();
        let fresh: Vec<String> = wanted.difference(&self.registered).cloned().collect();
        self.contexts = Arc::new(news.contexts);
        for name in gone {
            for below in &regions {
                self.say(&Order::Unregister { context: &name, below }).await?;
            }
            self.registered.remove(&name);
        }
        for name in fresh {
            self.register(&name, &regions).await?;
        }
        for notice in self.waiting.take(Instant::now(), news.notices, news.speaks) {
            let varbinds = varbinds(&notice, &news.node);
            self.say(&Order::Notify { varbinds: &varbinds }).await?;
            self.counts.notified.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.unsent.store(self.waiting.unsent, Ordering::Relaxed);
        Some(())
    }

    async fn register(&mut self, context: &str, regions: &[Oid]) -> Option<()> {
        for below in regions {
            self.say(&Order::Register { context, below }).await?;
        }
        self.registered.insert(context.to_owned());
        Some(())
    }

    /// None once the session has ended.
    async fn say(&mut self, order: &Order<'_>) -> Option<()> {
        self.packet = self.packet.wrapping_add(1);
        let numbers = Numbers { session: self.number, transaction: 0, packet: self.packet };
        self.out.send(encode(order, numbers)).await.ok()
    }
}

fn response(answer: &Answer, numbers: Numbers) -> Vec<u8> {
    let Answer { error, index, varbinds } = answer;
    encode(&Order::Response { error: *error, index: *index, varbinds }, numbers)
}

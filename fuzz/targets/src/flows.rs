//! What the two nodes say to each other about flows.

use std::time::{Duration, Instant};

use twinwall_flows::eligible::{Eligible, Filter};
use twinwall_flows::message::{Message, decode_message};
use twinwall_flows::mirror::Mirror;
use twinwall_flows::position::{Holding, Kept, Position, StreamId};
use twinwall_flows::source::{Settings, Source};
use twinwall_flows::view::Part;
use twinwall_flows::work::{Outcome, Work};

/// Flows that either side holds at the most here.
const MOST: usize = 64;
/// Where both stand.
const POSITION: Position = Position { stream: StreamId::from_bits(9), sequence: 0 };

/// What a mirror keeps for the agent after it. What is believed is said the same.
pub fn place(data: &[u8]) {
    let Some(kept) = Kept::decode(data) else { return };
    assert_eq!(Kept::decode(&kept.encode()), Some(kept));
}

/// One message. What is taken is said the same.
pub fn message(data: &[u8]) {
    let Ok(message) = decode_message(data) else { return };
    assert_eq!(decode_message(&message.encode()), Ok(message));
}

/// Messages one after another, each with its length in two bytes before it, to a mirror
/// and to a source that are on good terms with their peers.
pub fn talk(data: &[u8]) {
    let start = Instant::now();
    let (mut mirror, mut source) = (mirror(start), source(start));
    let mut rest = data;
    for second in 1.. {
        let now = start + Duration::from_secs(second);
        let Some((length, after)) = rest.split_first_chunk::<2>() else { break };
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (said, after) = after.split_at(length);
        rest = after;
        if let Ok(work) = mirror.receive(now, said) {
            // Every third write is refused.
            let outcomes = outcomes(&work);
            mirror.finished(now, &work, &outcomes);
        }
        let _refused = source.receive(now, said);
        let answers = std::iter::from_fn(|| mirror.poll()).take(100).count();
        assert!(answers < 100, "one message has two answers at the most");
        let told = std::iter::from_fn(|| source.poll(now)).take(100).count();
        assert!(told < 100, "nothing happened that could be told so often");
        let view = mirror.view(now);
        assert!(view.flows <= view.bound && view.bound <= MOST as u64);
        assert!(view.complete_percent.is_none_or(|share| (0.0..=100.0).contains(&share)));
        assert!(
            source.view(now).complete_percent.is_none_or(|share| (0.0..=100.0).contains(&share))
        );
    }
}

fn outcomes(work: &Work) -> Vec<Outcome> {
    let outcome = |place: usize| if place % 3 == 2 { Err(libc::ENOMEM) } else { Ok(()) };
    (0..work.writes.len()).map(outcome).collect()
}

fn settings() -> Settings {
    Settings { most: MOST, eligible: Eligible::new([], Filter::default()) }
}

fn hello(part: Part) -> Message {
    Message::Hello { part, answer: false, most: MOST as u64, position: Some(POSITION) }
}

fn mirror(now: Instant) -> Mirror {
    let mut mirror = Mirror::new(settings(), now);
    mirror.resume(now, Holding { position: POSITION, flows: 0 }, 0);
    mirror.dump_began(now);
    mirror.dump_ended(now);
    mirror.connected(now);
    let hello = hello(Part::Source);
    let work = mirror.receive(now, &hello.encode()).expect("a good hello");
    mirror.finished(now, &work, &[]);
    mirror
}

fn source(now: Instant) -> Source {
    let mut source = Source::new(settings(), None, now);
    source.dump_began(now);
    source.dump_ended(now, Vec::new());
    source.connected(now);
    let hello = hello(Part::Mirror);
    source.receive(now, &hello.encode()).expect("a good hello");
    source
}

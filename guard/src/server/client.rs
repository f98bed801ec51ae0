//! One client of the guard's socket: request lines in, answer lines out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use twinwall_core::api::{Answer, Input, MAX_CLIENTS, MAX_LINE, Request, Status};
use twinwall_core::event::{Event, Fact, Order};
use twinwall_core::tell::tell;

use super::Context;
use crate::beats::{Mail, Recorded};

/// A client that does not read is dropped after this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// The beat thread answers within a beat; longer means that it hangs.
const BEATS: Duration = Duration::from_secs(3);
/// Fastest repetition of a watched status.
const WATCH_PAUSE: Duration = Duration::from_millis(50);
/// A watched status is sent at least this often.
const WATCH_SLOWEST: Duration = Duration::from_secs(1);
/// A follower of events is told at least this often that the guard is there: an event
/// reaches it at once, so that a shorter pause would only cost wake-ups.
const FOLLOW_SLOWEST: Duration = Duration::from_secs(5);
/// Inputs that wait to be written; a slower reader loses its recording.
const MAX_RECORDED: usize = 8192;
/// Most that is read of a line that is too long, in bytes.
const MAX_UNREAD: u64 = 1 << 20;
/// Longest name and reason of a fact, in bytes.
const MAX_NAME: usize = 32;
/// Longest time that a fact may hold.
const MAX_HOLDS: Duration = Duration::from_secs(7 * 24 * 3600);
/// The beat thread's box is tried again so often, at this distance, when it is full.
const TRIES: u32 = 50;
const TRY_PAUSE: Duration = Duration::from_millis(100);

/// Tells one client too many why it is not served.
pub(super) fn turn_away(mut stream: UnixStream) {
    let message = format!("{MAX_CLIENTS} clients are connected already; try again");
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = write(&mut stream, &Answer::Error { message });
}

/// Serves one client until it hangs up or misbehaves.
pub(super) fn serve(stream: UnixStream, context: &Context) {
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let Ok(mut out) = stream.try_clone() else { return };
    let mut lines = BufReader::new(stream);
    let mut presence = Presence { context, of_agent: false };
    while let Some(line) = read_line(&mut lines) {
        if line.len() > MAX_LINE {
            refuse_long_line(&mut lines, &mut out);
            return;
        }
        let answered = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => answer(&mut presence, request, &mut out),
            Err(error) => {
                write(&mut out, &Answer::Error { message: format!("not a request: {error}") })
            }
        };
        if answered.is_err() {
            return;
        }
    }
}

/// A client that is there. When an agent goes, however that happens, the core hears it.
struct Presence<'a> {
    context: &'a Context,
    of_agent: bool,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let told = || self.context.mail.send(Mail::Event(Event::AgentLeft));
        for _ in 0..TRIES {
            if !self.of_agent || told() {
                return;
            }
            std::thread::sleep(TRY_PAUSE);
        }
    }
}

/// One line; `None` at the end of the stream. Of one that is too long, one byte more
/// than is allowed.
fn read_line(from: &mut BufReader<UnixStream>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let limit = MAX_LINE as u64 + 1;
    let read = from.by_ref().take(limit).read_until(b'\n', &mut line).ok()?;
    (read > 0).then_some(line)
}

/// Says why the connection ends. What has come of the line is read first: bytes left
/// unread at the end would cost the client the answer.
fn refuse_long_line(lines: &mut BufReader<UnixStream>, out: &mut UnixStream) {
    let message = format!("a request has at most {MAX_LINE} bytes; this line is longer");
    let _ = write(out, &Answer::Error { message });
    let _ = out.shutdown(Shutdown::Write);
    let _ = out.set_read_timeout(Some(WATCH_SLOWEST));
    let _ = std::io::copy(&mut lines.take(MAX_UNREAD), &mut std::io::sink());
}

fn write(out: &mut UnixStream, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    out.write_all(&line)
}

fn answer(
    presence: &mut Presence<'_>,
    request: Request,
    out: &mut UnixStream,
) -> std::io::Result<()> {
    let context = presence.context;
    match request {
        Request::Status {} => write(out, &status(context)),
        Request::Watch {} => watch(context, out),
        Request::Events { after } => events(context, after, out).map(drop),
        Request::Follow { after } => follow(context, after, out),
        Request::Record {} => record(context, out),
        Request::Order { order } => write(out, &give_order(context, order)),
        Request::Fact { fact } => write(out, &take_fact(context, fact)),
        Request::Attend {} => {
            presence.of_agent = true;
            write(out, &Answer::Done)
        }
        Request::Reload {} => {
            let answer = match (context.reload)(context) {
                Ok(()) => Answer::Done,
                Err(message) => Answer::Error { message },
            };
            write(out, &answer)
        }
    }
}

fn silent() -> Answer {
    Answer::Error { message: "the guard does not answer; see its log".to_owned() }
}

fn status(context: &Context) -> Answer {
    let (sender, receiver) = sync_channel(1);
    if !context.mail.send(Mail::Status(sender)) {
        return silent();
    }
    match receiver.recv_timeout(BEATS) {
        Ok(both) => {
            let (snapshot, guard) = *both;
            Answer::Status(Box::new(Status { snapshot, guard }))
        }
        Err(_) => silent(),
    }
}

/// The status now and after each event, else once a second.
fn watch(context: &Context, out: &mut UnixStream) -> std::io::Result<()> {
    loop {
        let last = context.journal.last();
        write(out, &status(context))?;
        std::thread::sleep(WATCH_PAUSE);
        if !context.journal.wait(last, WATCH_SLOWEST) && context.journal.is_closed() {
            return Ok(());
        }
    }
}

/// Writes the events above `after`; returns the number of the last one written.
fn events(context: &Context, after: u64, out: &mut UnixStream) -> std::io::Result<u64> {
    let events = context.journal.after(after, &tell);
    let mut last = after;
    for event in events {
        last = event.number;
        write(out, &Answer::Event(event))?;
    }
    write(out, &Answer::Done)?;
    Ok(last)
}

fn follow(context: &Context, after: u64, out: &mut UnixStream) -> std::io::Result<()> {
    let mut last = events(context, after, out)?;
    loop {
        context.journal.wait(last, FOLLOW_SLOWEST);
        if context.journal.last() > last {
            last = events(context, last, out)?;
        } else if context.journal.is_closed() {
            return Ok(());
        } else {
            // An empty line says that we are here and finds out whether the client is.
            out.write_all(b"\n")?;
        }
    }
}

fn record(context: &Context, out: &mut UnixStream) -> std::io::Result<()> {
    let (sender, receiver) = sync_channel(MAX_RECORDED);
    if !context.mail.send(Mail::Record(sender)) {
        return write(out, &silent());
    }
    write_recording(&receiver, out)
}

fn write_recording(receiver: &Receiver<Recorded>, out: &mut UnixStream) -> std::io::Result<()> {
    loop {
        let input = match receiver.recv_timeout(WATCH_SLOWEST) {
            Ok(Recorded::Start(core)) => {
                let start = Some(serde_json::to_string(&*core)?);
                Box::new(Input { at: crate::clock::now(), event: None, start })
            }
            Ok(Recorded::Input(input)) => input,
            Err(RecvTimeoutError::Timeout) => {
                out.write_all(b"\n")?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => {
                let message = "recording ended: settings were read again, another recording began, or this reader was too slow";
                return write(out, &Answer::Error { message: message.to_owned() });
            }
        };
        write(out, &Answer::Input(input))?;
    }
}

fn give_order(context: &Context, order: Order) -> Answer {
    if matches!(order, Order::Leave(_)) {
        let message =
            "the guard leaves when it is stopped: systemctl stop twinwall-guard, or SIGTERM"
                .to_owned();
        return Answer::Error { message };
    }
    ask_core(context, Event::Order(order))
}

/// Gives the core an order or a fact, and waits for what it says.
fn ask_core(context: &Context, event: Event) -> Answer {
    let (sender, receiver) = sync_channel(1);
    if !context.mail.send(Mail::Asked(event, sender)) {
        return silent();
    }
    match receiver.recv_timeout(BEATS) {
        Ok(Ok(())) => Answer::Done,
        Ok(Err(why)) => Answer::Refused { why },
        Err(_) => silent(),
    }
}

fn take_fact(context: &Context, fact: Fact) -> Answer {
    let named = fact
        .name
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if fact.name.is_empty() || fact.name.len() > MAX_NAME || !named {
        let message = format!(
            "fact name {:?}: a name has 1 to {MAX_NAME} characters of a-z 0-9 . _ -",
            fact.name
        );
        return Answer::Error { message };
    }
    if fact.holds.is_zero() || fact.holds > MAX_HOLDS {
        return Answer::Error {
            message: "the time that a fact holds is above zero and at most seven days; state the fact again before it runs out".to_owned(),
        };
    }
    ask_core(context, Event::Fact(fact.presentable()))
}

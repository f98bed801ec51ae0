//! Fetches what this node should have of the other one's reports, a part at a time and never
//! fast, so that nothing else waits for it.

use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::plan::{Limits, plan};
use super::{Listed, Standing, copies, replicates};
use crate::agent::clock::unix_ms;
use crate::agent::exchange::AskError;
use crate::agent::exchange::message::{Ask, Told};
use crate::agent::logs::visible::visible;
use crate::agent::node::Node;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// After a connection was made, or the settings changed.
const SOON: Duration = Duration::from_millis(500);
/// After each part, of [`MAX_PART`](crate::agent::exchange::message::MAX_PART) bytes: some 10 MiB
/// a second at the most.
const PAUSE: Duration = Duration::from_millis(25);
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Keeps the copies up until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some((mut connection, mut settings)) =
        node.upgrade().map(|node| (node.exchange().connection(), node.watch_settings()))
    else {
        return;
    };
    let mut told: Option<String> = None;
    loop {
        let Some(strong) = node.upgrade() else { return };
        let trouble = turn(&strong).await;
        // The same trouble is told once.
        if trouble.is_some() && trouble != told {
            eprintln!("twinwall agent: reports: {}", trouble.as_deref().unwrap_or_default());
        }
        told = trouble;
        drop(strong);
        tokio::select! {
            changed = connection.changed() => if changed.is_err() { return },
            changed = settings.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK) => continue,
        }
        tokio::time::sleep(SOON).await;
    }
}

/// What one look came to.
struct Copied {
    /// Reports of the other node that it leaves out itself, or that are beyond the limits here.
    left_out: usize,
    /// Those that should be here and cannot be had, with the reason.
    faults: Vec<String>,
}

/// Why a report is not here.
enum Fault {
    /// It alone: the others are fetched all the same.
    OfReport(String),
    /// The line, or this node's disk: nothing else would come either.
    OfAll(String),
}

/// One look at the other node's list; what is wrong, in words.
async fn turn(node: &Arc<Node>) -> Option<String> {
    let before = node.reports().standing().clone();
    let standing = match copy(node).await {
        Ok(None) => Standing::default(),
        Ok(Some(Copied { left_out, faults })) => {
            let trouble = told(&faults);
            let complete = before.complete.or_else(|| Some(Instant::now()));
            Standing { complete: complete.filter(|_| trouble.is_none()), left_out, trouble }
        }
        Err(why) => Standing { complete: None, left_out: before.left_out, trouble: Some(why) },
    };
    // Names of the other node stand in it, and it is shown in many places.
    let trouble = standing.trouble.map(|why| visible(&why).into_owned());
    node.reports().set(Standing { trouble: trouble.clone(), ..standing });
    trouble
}

/// The newest report's fault, and how many others there are.
fn told(faults: &[String]) -> Option<String> {
    let (first, others) = faults.split_first()?;
    Some(match others.len() {
        0 => first.clone(),
        1 => format!("{first}; and one other report"),
        more => format!("{first}; and {more} other reports"),
    })
}

/// Makes the copies what they should be; none where nothing is copied.
async fn copy(node: &Arc<Node>) -> Result<Option<Copied>, String> {
    let settings = node.settings();
    let Some(pair) = settings.pair.as_ref().filter(|_| replicates(&settings)) else {
        return Ok(None);
    };
    let asked = node.exchange().ask(Ask::Reports {}).await;
    let (told, _) = asked.map_err(|error| error.to_string())?;
    let Told::Reports { files, left_out } = told else { return Err(NONSENSE.to_owned()) };
    let keep_ms = u64::from(pair.reports.keep_days()).saturating_mul(DAY_MS);
    let limits =
        Limits { bytes: pair.reports.keep_bytes(), oldest_ms: unix_ms().saturating_sub(keep_ms) };
    let planning = Arc::clone(node);
    let plan = tokio::task::spawn_blocking(move || {
        let good: Vec<Listed> = files.into_iter().filter(is_good).collect();
        let plan = plan(&good, &copies::all(planning.root()), limits);
        let removed = plan.remove.iter().map(|path| copies::remove(planning.root(), path));
        removed.collect::<Result<(), _>>().map(|()| plan).map_err(|error| error.to_string())
    });
    let plan = plan.await.map_err(|error| error.to_string())??;
    let mut faults = Vec::new();
    for file in &plan.fetch {
        match fetch(node, file).await {
            Ok(()) => {}
            Err(Fault::OfReport(why)) => faults.push(format!("{}: {why}", file.path)),
            Err(Fault::OfAll(why)) => return Err(format!("{}: {why}", file.path)),
        }
    }
    let there = usize::try_from(left_out).unwrap_or(usize::MAX);
    Ok(Some(Copied { left_out: plan.left_out.saturating_add(there), faults }))
}

const NONSENSE: &str = "the other node answered something else; bring both to one release";

/// What a list of an honest node may hold.
fn is_good(file: &Listed) -> bool {
    super::Form::of(&file.path).is_some() && super::list::relative(&file.path).is_some()
}

/// One report, whole or not at all.
async fn fetch(node: &Arc<Node>, file: &Listed) -> Result<(), Fault> {
    let (root, path) = (node.root().to_owned(), file.path.clone());
    let mut open = on_disk(move || {
        copies::look_for_place(&root, &path)?;
        copies::begin(&root)
    })
    .await?;
    let mut offset = 0;
    while offset < file.size {
        let ask = Ask::Part { path: file.path.clone(), version: file.version.clone(), offset };
        let (told, bytes) = node.exchange().ask(ask).await.map_err(Fault::of_question)?;
        let Told::Part {} = told else { return Err(Fault::OfAll(NONSENSE.to_owned())) };
        offset += bytes.len() as u64;
        if bytes.is_empty() || offset > file.size {
            let why = "it changed while it was fetched; it is fetched again";
            return Err(Fault::OfReport(why.to_owned()));
        }
        open = on_disk(move || open.write_all(&bytes).map(|()| open)).await?;
        tokio::time::sleep(PAUSE).await;
    }
    let (root, file) = (node.root().to_owned(), file.clone());
    on_disk(move || copies::finish(&root, &open, &file)).await
}

impl Fault {
    fn of_question(error: AskError) -> Fault {
        match error {
            AskError::Line(why) => Fault::OfAll(why),
            AskError::Refused(why) => Fault::OfReport(why),
        }
    }

    fn of_disk(error: &io::Error) -> Fault {
        let why = error.to_string();
        if copies::is_of_the_name(error) { Fault::OfReport(why) } else { Fault::OfAll(why) }
    }
}

/// Waits for the disk, on a thread that may.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Fault::OfAll(error.to_string()))?;
    done.map_err(|error| Fault::of_disk(&error))
}

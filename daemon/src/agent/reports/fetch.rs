//! Fetches what this node should have of the other one's reports, a part at a time and never
//! fast, so that nothing else waits for it.

use std::io::Write;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::plan::{Limits, plan};
use super::{Listed, Standing, copies, replicates};
use crate::agent::clock::unix_ms;
use crate::agent::exchange::message::{Ask, Told};
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

/// One look at the other node's list; what is wrong, in words.
async fn turn(node: &Arc<Node>) -> Option<String> {
    let before = node.reports().standing().complete;
    let (standing, trouble) = match copy(node).await {
        Ok(None) => (Standing::default(), None),
        Ok(Some(left_out)) => {
            let complete = before.or_else(|| Some(Instant::now()));
            (Standing { complete, left_out, trouble: None }, None)
        }
        Err(why) => {
            let left_out = node.reports().standing().left_out;
            (Standing { complete: None, left_out, trouble: Some(why.clone()) }, Some(why))
        }
    };
    node.reports().set(standing);
    trouble
}

/// Makes the copies what they should be: how many reports are left out; none where nothing is
/// copied.
async fn copy(node: &Arc<Node>) -> Result<Option<usize>, String> {
    let settings = node.settings();
    let Some(pair) = settings.pair.as_ref().filter(|_| replicates(&settings)) else {
        return Ok(None);
    };
    let (told, _) = node.exchange().ask(Ask::Reports {}).await?;
    let Told::Reports { files } = told else { return Err(NONSENSE.to_owned()) };
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
    for file in &plan.fetch {
        fetch(node, file).await.map_err(|why| format!("{}: {why}", file.path))?;
    }
    Ok(Some(plan.left_out))
}

const NONSENSE: &str = "the other node answered something else; bring both to one release";

/// What a list of an honest node may hold.
fn is_good(file: &Listed) -> bool {
    super::Form::of(&file.path).is_some() && super::list::relative(&file.path).is_some()
}

/// One report, whole or not at all.
async fn fetch(node: &Arc<Node>, file: &Listed) -> Result<(), String> {
    let root = node.root().to_owned();
    let begun = tokio::task::spawn_blocking(move || copies::begin(&root)).await;
    let mut open = flat(begun)?;
    let mut offset = 0;
    while offset < file.size {
        let ask = Ask::Part { path: file.path.clone(), version: file.version.clone(), offset };
        let (told, bytes) = node.exchange().ask(ask).await?;
        let Told::Part {} = told else { return Err(NONSENSE.to_owned()) };
        offset += bytes.len() as u64;
        if bytes.is_empty() || offset > file.size {
            return Err("it changed while it was fetched; it is fetched again".to_owned());
        }
        let written = tokio::task::spawn_blocking(move || open.write_all(&bytes).map(|()| open));
        open = flat(written.await)?;
        tokio::time::sleep(PAUSE).await;
    }
    let (root, file) = (node.root().to_owned(), file.clone());
    let finished = move || copies::finish(&root, &open, &file);
    flat(tokio::task::spawn_blocking(finished).await)
}

fn flat<T>(done: Result<std::io::Result<T>, tokio::task::JoinError>) -> Result<T, String> {
    done.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

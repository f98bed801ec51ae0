//! Puts the engine together: its own thread, the worker's, the one that watches files,
//! and one each for the two connections to the other node. Called once at the agent's
//! start; everything ends with [`Running`].

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::ending::Ending;
use super::last::LastFile;
use super::line::Lines;
use super::marks::MarksFile;
use super::message::Message;
use super::reading::Reader;
use super::run::{Ends, Engine, Event, Files, Runner, engine};
use super::showing::Shown;
use super::state::{Input, Rules, State};
use super::waiting::Waiting;
use super::work::{Apply, Belonging, Known, Worker};
use crate::agent::calls::{Calls, Frame};
use crate::agent::channel::{Connection, Link, Receiver, Stream};
use crate::agent::clock::unix_ms;
use crate::agent::manifest::RelPath;
use crate::agent::profile::{Profile, Rules as SectionRules};
use crate::agent::section::Section;
use crate::agent::store::Store;
use crate::agent::translate::Translator;
use crate::agent::tree::{GlobError, Lists, Root, Scope};
use crate::agent::watch::{Changes, Watcher};

/// The store, relative to the root.
pub const STORE: &str = "var/lib/twinwall/store";
/// What the agent keeps; every version of every file is in it, secrets too.
pub const STATE: &str = "var/lib/twinwall";
/// What is remembered over a restart, relative to the root.
pub const MARKS: &str = "var/lib/twinwall/sync.json";
/// Every section is looked at again after this, whatever the kernel told.
const FULL_CHECK: Duration = Duration::from_secs(120);

/// When changes of files cannot be read, they are tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// What an engine is made from.
pub struct Parts {
    /// Below which all files lie.
    pub root: PathBuf,
    /// This node's name.
    pub node: String,
    /// What the sections are made of.
    pub profile: Profile,
    /// Between this node's addresses and canonical content.
    pub translator: Translator,
    /// What the settings say.
    pub rules: Rules,
    /// The versions; it outlives the engine.
    pub store: Arc<Store>,
    /// Changes sections.
    pub apply: Box<Apply>,
    /// The way to the other node.
    pub calls: Calls,
}

/// Why no engine can be made.
#[derive(Debug)]
pub enum StartError {
    /// The system's error and what was being done.
    Io(&'static str, io::Error),
    /// A pattern of the profile.
    Pattern(Section, GlobError),
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Io(doing, error) => write!(out, "{doing}: {error}"),
            StartError::Pattern(section, error) => write!(out, "section {section}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The engine with its threads.
pub struct Running {
    engine: Engine,
    calls: Calls,
    lines: Lines,
    belonging: Arc<Mutex<Belonging>>,
    ending: Arc<Ending>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts an engine without a peer; [`Running::attach`] gives it one.
///
/// # Errors
/// When the disk does not allow it.
pub fn start(parts: Parts) -> Result<Running, StartError> {
    let io = |doing| move |error| StartError::Io(doing, error);
    let store = parts.store;
    let marks =
        MarksFile::open(&parts.root.join(MARKS)).map_err(io("reading what was agreed on"))?;
    let root = Root::open(&parts.root).map_err(io("opening the root directory"))?;
    let watcher = Watcher::new(&parts.root).map_err(io("watching files"))?;
    let scopes = scopes(&parts.profile)?;
    watch_bases(&watcher, &parts.profile);
    let belonging = Belonging { lineage: marks.marks().lineage, peer: String::new() };
    let belonging = Arc::new(Mutex::new(belonging));
    let files = Files { marks, last: LastFile::open(&parts.root) };
    let state = state(parts.node, &files);
    let (overview, _) = watch::channel(state.overview());
    let (work, errands) = mpsc::channel();
    let waiting = Waiting::default();
    let say = say(parts.calls.clone());
    let ends =
        Ends { say, work, waiting: waiting.clone(), belonging: Arc::clone(&belonging), overview };
    let (engine, runner) = engine(state, files, Arc::clone(&store), ends);
    let rules = parts.profile.sections.clone();
    let shown = Shown { rules: rules.clone(), translator: parts.translator.clone() };
    let worker = Worker {
        known: Known::default(),
        reader: Reader::new(root, parts.translator, scopes, rules, Arc::clone(&store)),
        lines: Lines::default(),
        engine: engine.clone(),
        waiting,
        units: parts.profile.units(),
        apply: parts.apply,
        shown,
        store: Arc::clone(&store),
        watcher: watcher.clone(),
        belonging: Arc::clone(&belonging),
    };
    let mut running = Running {
        lines: worker.lines.clone(),
        engine: engine.clone(),
        calls: parts.calls,
        belonging,
        ending: Arc::new(Ending::new().map_err(|error| StartError::Io("a descriptor", error))?),
        threads: Vec::new(),
    };
    running.spawn("sync-engine", move || Runner::run(runner))?;
    running.spawn("sync-worker", move || worker.run(&errands))?;
    running.follow(watcher)?;
    engine.tell(Event::Input(Input::Rules(parts.rules)));
    engine.tell(Event::Changed(Changes::whole(Section::ALL)));
    Ok(running)
}

/// As it was left before a restart. Numbers of jobs go up over restarts, as the clock does.
fn state(node: String, files: &Files) -> State {
    let state = State::new(node, files.marks.marks().clone(), unix_ms());
    state.after(files.last.last().cloned())
}

impl Running {
    /// The handle for the API and everybody else.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Talks to the other node over this link from now on.
    ///
    /// # Errors
    /// When the machine has no room for a thread.
    pub fn attach(
        &mut self,
        link: &Arc<Link>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(), StartError> {
        self.calls.begins();
        let control = Control {
            link: Arc::clone(link),
            runtime: runtime.clone(),
            engine: self.engine.clone(),
            calls: self.calls.clone(),
            belonging: Arc::clone(&self.belonging),
            ending: Arc::clone(&self.ending),
        };
        self.spawn("sync-control", move || control.run())?;
        let (link, runtime) = (Arc::clone(link), runtime.clone());
        let (lines, engine) = (self.lines.clone(), self.engine.clone());
        let ending = Arc::clone(&self.ending);
        self.spawn("sync-lines", move || {
            while let Some(connection) = next(&runtime, &link, Stream::Configuration, &ending) {
                lines.serve(connection, Arc::clone(engine.store()), &runtime);
                engine.tell(Event::Input(Input::Line));
            }
        })
    }

    fn follow(&mut self, watcher: Watcher) -> Result<(), StartError> {
        let (engine, ending) = (self.engine.clone(), Arc::clone(&self.ending));
        self.spawn("sync-watch", move || follow_files(&watcher, &engine, &ending))
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        self.threads.push(thread.map_err(|error| StartError::Io("starting a thread", error))?);
        Ok(())
    }
}

impl Drop for Running {
    /// Ends all threads; a section that is being changed is changed to its end.
    fn drop(&mut self) {
        self.ending.tell();
        self.lines.end();
        self.engine.tell(Event::Stop);
        self.calls.connected(None);
        for thread in self.threads.drain(..) {
            // One that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// What belongs to each section.
///
/// # Errors
/// For a pattern that cannot be read.
pub fn scopes(profile: &Profile) -> Result<BTreeMap<Section, Scope>, StartError> {
    let scope = |(section, rules): (&Section, &SectionRules)| {
        let lists = Lists {
            include: rules.paths.texts(),
            exclude: rules.exclude.texts(),
            node_local: rules.node_local.texts(),
            translate: rules.translate.texts(),
        };
        let scope = Scope::new(lists).map_err(|error| StartError::Pattern(*section, error))?;
        Ok((*section, scope))
    };
    profile.sections.iter().map(scope).collect()
}

fn watch_bases(watcher: &Watcher, profile: &Profile) {
    for (section, rules) in &profile.sections {
        let bases = rules.paths.iter().map(|pattern| pattern.base().as_bytes());
        for base in bases.filter_map(|base| RelPath::new(base).ok()) {
            watcher.watch_base(*section, &base);
        }
    }
}

/// Messages for the other node. One that cannot be queued is lost with its connection:
/// the next connection begins with a whole report.
fn say(calls: Calls) -> Box<super::run::Say> {
    Box::new(move |message: Message| {
        // The engine says what it must only while connected, and again when it is anew.
        calls.send(&Frame::Statement(message));
    })
}

/// Tells which sections changed, and all of them every now and then.
fn follow_files(watcher: &Watcher, engine: &Engine, ending: &Ending) {
    let mut whole = Instant::now() + FULL_CHECK;
    while !ending.is_told() {
        let left = whole.saturating_duration_since(Instant::now());
        let changed = watcher.wait(left, ending.as_fd()).unwrap_or_else(|error| {
            eprintln!("twinwall agent: changes of files are not told: {error}");
            thread::sleep(AGAIN);
            Changes::default()
        });
        if !changed.is_empty() {
            engine.tell(Event::Changed(changed));
        }
        if Instant::now() >= whole {
            whole = Instant::now() + FULL_CHECK;
            engine.tell(Event::Changed(Changes::whole(Section::ALL)));
        }
    }
}

/// The next connection of a stream; none when everything ends.
fn next(
    runtime: &tokio::runtime::Handle,
    link: &Link,
    stream: Stream,
    ending: &Ending,
) -> Option<Connection> {
    runtime.block_on(ending.or(link.connection(stream)))
}

/// The thread of the control connection.
struct Control {
    link: Arc<Link>,
    runtime: tokio::runtime::Handle,
    engine: Engine,
    calls: Calls,
    belonging: Arc<Mutex<Belonging>>,
    ending: Arc<Ending>,
}

impl Control {
    fn run(self) {
        while let Some(connection) = next(&self.runtime, &self.link, Stream::Control, &self.ending)
        {
            self.belonging.lock().unwrap_or_else(PoisonError::into_inner).peer =
                connection.peer().node.clone();
            let (sender, mut receiver) = connection.split();
            self.calls.connected(Some(sender));
            self.engine.tell(Event::Input(Input::Connected));
            while let Some(bytes) = self.hear(&mut receiver) {
                match Frame::decode(&bytes) {
                    Ok(Frame::Statement(message)) => {
                        self.engine.tell(Event::Input(Input::Heard(message)));
                    }
                    Ok(Frame::Call { number, call }) => {
                        self.calls.asked(number, call, &self.runtime);
                    }
                    Ok(Frame::Reply { number, answer }) => self.calls.answered(number, answer),
                    Err(error) => {
                        eprintln!("twinwall agent: the other node sent {error}");
                        break;
                    }
                }
            }
            self.calls.connected(None);
            self.engine.tell(Event::Input(Input::Gone));
        }
    }

    /// The next message; none when the connection or everything ends.
    fn hear(&self, receiver: &mut Receiver) -> Option<Vec<u8>> {
        self.runtime.block_on(self.ending.or(receiver.recv())).flatten()
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;

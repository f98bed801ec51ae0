//! Network namespaces for tests: each lives in a thread and ends with it. `ip` and
//! the like, started from that thread, are the outside witnesses.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The tests of one binary run one after another: they measure milliseconds, and the
/// kernel's limiter of link notices is one for all namespaces.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `body` in a fresh network namespace with `lo` up; panics when it panics.
pub(crate) fn alone<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::spawn(move || {
        enter();
        body()
    })
    .join()
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A second namespace whose thread runs what it is sent.
pub(crate) struct Other {
    /// The thread's number, by which `ip link … netns` finds the namespace.
    pub(crate) thread: i32,
    orders: Option<mpsc::Sender<Box<dyn FnOnce() + Send>>>,
    join: Option<JoinHandle<()>>,
}

impl Other {
    pub(crate) fn start() -> Other {
        let (orders, todo) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = mpsc::channel();
        let join = std::thread::spawn(move || {
            enter();
            tell.send(thread_number()).expect("the test waits");
            todo.into_iter().for_each(|order| order());
        });
        let thread = told.recv().expect("the namespace starts");
        Other { thread, orders: Some(orders), join: Some(join) }
    }

    /// Runs `body` there and waits for its result.
    pub(crate) fn run<T: Send + 'static>(&self, body: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        let order = Box::new(move || tell.send(body()).expect("the test waits"));
        self.orders.as_ref().expect("open until dropped").send(order).expect("the namespace lives");
        told.recv().expect("the order does not panic")
    }

    /// One command there.
    pub(crate) fn sh(&self, command: &str) -> String {
        let command = command.to_owned();
        self.run(move || sh(&command))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(join) = self.join.take() {
            let _ = join.join();
        }
    }
}

/// Two namespaces with a cable `lan0` between them whose ends have the same interface
/// index: only so does a veth get the slow notices of a real network card.
pub(crate) fn cable_to(other: &Other, name: &str, index: u32) {
    let thread = other.thread;
    sh(&format!(
        "ip link add {name} index {index} type veth peer name {name} index {index} netns {thread}"
    ));
    sh(&format!("ip link set {name} up"));
    other.sh(&format!("ip link set {name} up"));
}

/// Runs a command line in this thread's namespace; panics when it fails.
pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().expect("sh starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}{text}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Waits until `true`, at most `limit`; returns how long it took.
pub(crate) fn until(limit: Duration, mut ready: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
    start.elapsed()
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `time`, which outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).expect("below a second"))
}

fn enter() {
    // SAFETY: no pointer is passed; only this thread changes its namespace.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(result, 0, "these tests need root: {}", std::io::Error::last_os_error());
    sh("ip link set lo up");
}

fn thread_number() -> i32 {
    // SAFETY: no pointer is passed.
    unsafe { libc::gettid() }
}

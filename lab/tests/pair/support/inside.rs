//! A test inside namespaces of its own: it starts this program again, for itself
//! alone, where nothing that it makes can outlive it.

use std::any::type_name;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use twinwall_lab::isolate::{Side, cross_with};

/// Two pairs at a time would only measure how busy the machine is.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs `body`, the closure of a test, inside. Its name tells which test it is.
pub(crate) fn in_lab<F: FnOnce()>(body: F) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    let (_, name) = path.split_once("::").unwrap();
    let arguments = ["--exact", name, "--nocapture", "--test-threads=1"].map(OsString::from);
    // Crossing leaves its thread unable to start others.
    let side = thread::scope(|scope| scope.spawn(|| cross_with(&arguments)).join().unwrap());
    match side.unwrap() {
        Side::Done(code) => assert!(code == ExitCode::SUCCESS, "{name} failed inside its lab"),
        Side::Inside { .. } => body(),
    }
}

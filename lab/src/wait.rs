//! Waiting with a bound: nothing in the lab waits for ever.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{LabError, Result};

/// Looks every `PAUSE` until `look` says `Ok`; its last `Err` is what was seen instead.
pub fn until<T>(
    what: &str,
    bound: Duration,
    mut look: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    const PAUSE: Duration = Duration::from_millis(10);
    let end = Instant::now() + bound;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(seen) if Instant::now() >= end => {
                return Err(LabError::Late { waiting_for: what.to_owned(), bound, seen });
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

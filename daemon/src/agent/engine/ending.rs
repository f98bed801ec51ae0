//! That everything ends, as a level which threads wait for together with what they read.
//! Set once by [`super::assemble::Running`]; nobody looks at it every now and then.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use tokio::sync::watch;
use twinwall_netlink::wait::Wake;

/// Whether everything ends.
#[derive(Debug)]
pub struct Ending {
    told: watch::Sender<bool>,
    /// For those who wait in `poll`: readable from then on.
    wake: Wake,
}

impl Ending {
    /// Nothing ends yet.
    ///
    /// # Errors
    /// When the system has no room for another descriptor.
    pub fn new() -> io::Result<Ending> {
        Ok(Ending { told: watch::Sender::new(false), wake: Wake::new()? })
    }

    /// Everything ends.
    pub fn tell(&self) {
        self.told.send_replace(true);
        self.wake.wake();
    }

    /// Whether that was told.
    pub fn is_told(&self) -> bool {
        *self.told.borrow()
    }

    /// What `work` gives, or nothing when everything ends before.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut told = self.told.subscribe();
        tokio::select! {
            done = work => Some(done),
            // The sender is `self`, which lives.
            _ = told.wait_for(|told| *told) => None,
        }
    }
}

impl AsFd for Ending {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_ever_is_freed_by_the_end_and_nobody_waits_after_it() {
        let ending = Arc::new(Ending::new().expect("a descriptor"));
        let waits = {
            let ending = Arc::clone(&ending);
            tokio::spawn(async move { ending.or(std::future::pending::<()>()).await })
        };
        assert_eq!(ending.or(async { 7 }).await, Some(7), "done before the end");
        ending.tell();
        let freed = timeout(Duration::from_secs(10), waits).await.expect("soon");
        assert_eq!(freed.expect("no panic"), None);
        assert!(ending.is_told());
        assert_eq!(ending.or(std::future::pending::<()>()).await, None);
    }
}

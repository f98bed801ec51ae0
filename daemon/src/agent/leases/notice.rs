//! Waits until a file of leases is written (inotify), so that a lease is told at once. Used by the
//! active's side; it reads none of the files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::future::pending;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

use super::file::names;
use crate::agent::profile::LeaseFile;
use crate::agent::written::Watch;

/// Between two looks where the kernel gives no queue for notices.
const BLIND: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Notice {
    watch: Option<AsyncFd<Watch>>,
    files: BTreeSet<PathBuf>,
}

impl Notice {
    /// Follows these files and no others: what is written after this, [`Notice::written`] notices.
    pub(super) fn follow(&mut self, root: &Path, listed: &[LeaseFile]) {
        let paths = listed.iter().flat_map(|file| names(file).unwrap_or_default());
        self.files = paths.map(|path| root.join(OsStr::from_bytes(path.as_bytes()))).collect();
        if self.watch.is_none() {
            // SAFETY: the watch owns its descriptor and keeps it as long as it lives.
            let open =
                |watch| unsafe { AsyncFd::register_with_interest(watch, Interest::READABLE).ok() };
            self.watch = Watch::new().ok().and_then(open);
        }
        let folders = self.files.iter().filter_map(|file| file.parent());
        let folders: BTreeSet<PathBuf> = folders.map(Path::to_owned).collect();
        if let Some(watch) = &mut self.watch {
            watch.get_mut().set(&folders);
        }
    }

    /// Until one of them may have been written, and for no longer than this.
    pub(super) async fn written(&mut self, limit: Duration) {
        match &mut self.watch {
            // Nothing in time: it is looked at all the same.
            Some(watch) => _ = timeout(limit, noticed(watch, &self.files)).await,
            None => sleep(BLIND.min(limit)).await,
        }
    }
}

async fn noticed(watch: &mut AsyncFd<Watch>, files: &BTreeSet<PathBuf>) {
    loop {
        let Ok(mut ready) = watch.readable_mut().await else { return pending().await };
        let happened = ready.get_inner_mut().take();
        ready.clear_ready();
        if happened.any || happened.names || !happened.written.is_disjoint(files) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;
    use crate::agent::leases::Format;
    use crate::agent::manifest::RelPath;

    /// Longer than any notice takes, however busy the machine.
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_lease_is_noticed_when_it_is_written_and_another_file_is_not() {
        let root =
            std::env::temp_dir().join(format!("twinwall-lease-notice-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("var")).expect("made");
        for name in ["leases", "other"] {
            fs::write(root.join("var").join(name), "").expect("written");
        }
        let listed = [LeaseFile {
            name: "lan".to_owned(),
            format: Format::Dnsmasq,
            path: RelPath::new(b"var/leases").expect("a path"),
            service: "dhcp".to_owned(),
        }];
        let mut notice = Notice::default();
        notice.follow(&root, &listed);
        fs::write(root.join("var/leases"), "1\n").expect("written");
        let began = Instant::now();
        notice.written(LONG).await;
        assert!(began.elapsed() < LONG, "what was written before the wait counts");
        // The rest of that write may come as a second notice.
        notice.written(Duration::from_millis(20)).await;
        fs::write(root.join("var/other"), "1\n").expect("written");
        let began = Instant::now();
        notice.written(Duration::from_millis(50)).await;
        assert!(began.elapsed() >= Duration::from_millis(50), "nothing of leases was written");
        fs::remove_dir_all(root).expect("removed");
    }
}

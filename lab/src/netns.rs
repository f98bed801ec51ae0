//! Network namespaces of the lab: made, named for `ip netns`, entered by threads.
//! Called by the topology and by the probes. A namespace lives as long as its
//! value, its name or a process in it does; nothing here outlives the lab.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crate::mount;

/// Where `ip netns` looks for names; a file system of the lab's own, see `isolate`.
pub const NAMES: &str = "/run/netns";

/// One network namespace.
#[derive(Debug)]
pub struct Namespace {
    /// What the lab and `ip netns` call it.
    pub name: String,
    fd: OwnedFd,
    published: bool,
}

/// The namespaces that probes run in.
#[derive(Clone, Debug)]
pub struct Namespaces {
    /// Where the client is.
    pub client: Arc<Namespace>,
    /// Where the server is.
    pub server: Arc<Namespace>,
}

impl Namespace {
    /// Makes a new, empty namespace. The calling thread stays where it is.
    pub fn create(name: &str) -> io::Result<Namespace> {
        let made = thread::spawn(|| -> io::Result<OwnedFd> {
            // SAFETY: plain system call; it changes this short-lived thread only.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(File::open("/proc/thread-self/ns/net")?.into())
        });
        let fd = made
            .join()
            .map_err(|_| io::Error::other("the thread that makes namespaces died"))??;
        Ok(Namespace { name: name.to_owned(), fd, published: false })
    }

    /// Moves the calling thread (and what it starts from now on) into the namespace.
    pub fn enter(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open for as long as `self` lives.
        if unsafe { libc::setns(self.fd.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Gives the namespace its name for `ip netns` and `nsenter`, under [`NAMES`],
    /// for as long as the value lives.
    pub fn publish(&mut self) -> io::Result<()> {
        let path = self.path();
        File::create(&path)?;
        let source = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        mount::bind(&source, &path)?;
        self.published = true;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(NAMES).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.published {
            // A name that stays is replaced by the next lab, and gone with this process.
            let _ = mount::detach(&self.path()).and_then(|()| std::fs::remove_file(self.path()));
        }
    }
}

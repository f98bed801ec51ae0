//! The guard's Unix socket: status, events, orders, facts. Ordinary threads that
//! only talk to the beat thread by mail, so that no client can hold it up.

mod client;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use twinwall_core::api::MAX_CLIENTS;
use twinwall_core::config::Pair;

use crate::beats::Mail;
use crate::journal::Journal;
use crate::mailbox::Sender;

/// Stack of a client's thread: a status of the largest pair is built on the heap.
const STACK: usize = 128 * 1024;

/// Reads the settings again and has them applied; in words why not.
pub type Reload = dyn Fn(&Context) -> Result<(), String> + Send + Sync;

/// What the clients' threads share.
pub struct Context {
    /// To the beat thread.
    pub mail: Sender<Mail>,
    /// The events.
    pub journal: Arc<Journal>,
    /// The settings in force; held by a reload to its end, so that there is one at a time.
    pub pair: Mutex<Pair>,
    /// Reads the settings again.
    pub reload: Box<Reload>,
    /// Clients served now.
    pub clients: AtomicUsize,
}

/// Opens the socket; nobody but its owner and group can connect.
///
/// # Errors
/// When the place cannot be written, or another guard listens there.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if UnixStream::connect(path).is_ok() {
        let text = "another guard listens here; stop it first";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Serves clients until the process ends.
pub fn serve(listener: &UnixListener, context: &Arc<Context>) {
    for stream in listener.incoming() {
        // A failed accept (too many files) must not become a busy loop.
        let Ok(stream) = stream else {
            thread::sleep(std::time::Duration::from_millis(100));
            continue;
        };
        if context.clients.fetch_add(1, Ordering::AcqRel) >= MAX_CLIENTS {
            context.clients.fetch_sub(1, Ordering::AcqRel);
            client::turn_away(stream);
            continue;
        }
        let context = Arc::clone(context);
        let seat = Seat(context);
        let work = move || client::serve(stream, &seat.0);
        // Without a thread the client sees the end of the connection.
        let _ = thread::Builder::new().name("client".to_owned()).stack_size(STACK).spawn(work);
    }
}

/// One of the places for clients: free again however its client's thread ends, and
/// if it never began.
struct Seat(Arc<Context>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Removes the socket's name at the end.
pub fn remove(path: &PathBuf) {
    let _ = std::fs::remove_file(path);
}

//! Calls out on the HA link who this node is, and tells the channel where the other one may
//! be. An open invitation changes what is called for as long as it is open.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Node, Settings};
use crate::agent::channel::PORT;
use crate::agent::digest::Digest;
use crate::agent::finder::{Announcement, Finder, Neighbour, VERSION, addresses_of};
use crate::agent::identity::{Identity, IdentityError};

/// An invitation is called out until this is dropped.
pub struct Calling {
    finder: Arc<Finder>,
    /// What is said without it; nothing when the finder was only made for it.
    before: Option<Announcement>,
}

impl Calling {
    /// Who is heard on this interface.
    pub fn neighbours(&self) -> watch::Receiver<Vec<Neighbour>> {
        self.finder.neighbours()
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.finder.say(self.before.take());
    }
}

impl Node {
    /// Calls out on this interface that an invitation is open at this TCP port.
    ///
    /// # Errors
    /// When this node has no key and none can be made.
    pub fn call_out(&self, interface: &str, port: u16) -> Result<Calling, IdentityError> {
        let before = self.announcement(interface)?;
        let said = Announcement { inviting: Some(port), ..before.clone() };
        let running = self.inside().as_ref().and_then(|inside| inside.finder_on(interface));
        if let Some(finder) = running {
            finder.say(Some(said));
            return Ok(Calling { finder, before: Some(before) });
        }
        let _inside = self.runtime.enter();
        let finder = Arc::new(Finder::start(interface, Some(said), Vec::new()));
        Ok(Calling { finder, before: None })
    }

    /// Who is heard on the HA link; nobody while the settings name none.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let inside = self.inside();
        let finder = inside.as_ref().and_then(|inside| inside.finder.clone());
        finder.map(|finder| finder.neighbours().borrow().clone()).unwrap_or_default()
    }

    /// What this node says of itself on this interface.
    fn announcement(&self, interface: &str) -> Result<Announcement, IdentityError> {
        self.announcement_of(&self.settings(), interface)
    }

    /// The same by settings that are being taken over.
    pub(super) fn announcement_of(
        &self,
        settings: &Settings,
        interface: &str,
    ) -> Result<Announcement, IdentityError> {
        Ok(Announcement {
            version: VERSION,
            run: self.run,
            certificate: Identity::load_or_create(&self.root)?.certificate().digest(),
            interface: interface.to_owned(),
            node: settings.name.clone(),
            pair_id: settings.pair.as_ref().map(|pair| pair.pair_id),
            inviting: None,
        })
    }
}

/// Tells this run of the agent from others.
pub(super) fn number_of_run() -> u64 {
    let mut run = [0; 8];
    // Should the machine give nothing, all are alike.
    let _ = rustix::rand::getrandom(&mut run, rustix::rand::GetRandomFlags::empty());
    u64::from_be_bytes(run)
}

/// Keeps the channel told where the peer may be. Must be called inside a tokio runtime.
pub(super) fn tell_addresses(
    finder: &Finder,
    peer: Vec<Digest>,
    tasks: &mut JoinSet<()>,
) -> watch::Receiver<Vec<SocketAddr>> {
    let (tell, addresses) = watch::channel(Vec::new());
    let mut heard = finder.neighbours();
    tasks.spawn(async move {
        loop {
            let now = addresses_of(&heard.borrow_and_update(), &peer, PORT);
            // An address that is not heard any more is still worth a call: a busy peer
            // says nothing for a while.
            tell.send_if_modified(|known| {
                let news = !now.is_empty() && *known != now;
                if news {
                    *known = now;
                }
                news
            });
            if heard.changed().await.is_err() {
                return;
            }
        }
    });
    addresses
}

//! The console's process, `twinwall web`: HTTPS, pages, the API for programs, sessions. It
//! runs as a user of its own without any right on the machine, knows nothing but what the
//! agent's socket tells it, and may hang, be flooded or die: the role does not move.

mod access;
mod accounts_file;
pub(crate) mod agent;
mod api;
mod assets;
mod body;
mod certificate;
mod connections;
mod csrf;
mod events;
mod headers;
mod hub;
mod listen;
mod packed;
#[cfg(test)]
mod page_tests;
mod pages;
mod privilege;
mod rate;
mod request;
mod serve;
mod sessions;
mod sign_in;
mod state;
mod telling;
#[cfg(test)]
mod tests;
mod validity;
mod worded;

pub use certificate::{
    FOLDER as CERTIFICATE_FOLDER, OWN as OWN_CERTIFICATE, fingerprint, in_use as certificate_in_use,
};
pub use serve::{ServeError, serve};
pub use validity::Validity;

/// Where the console listens when nothing else is said: its port.
pub const PORT: u16 = 8443;

//! Who brings files over, and with which words.

use clap::ValueEnum;
use serde::Serialize;

/// A way to keep two machines' files alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    /// twinwall, automatic, without quiet time.
    #[value(skip)]
    Twinwall,
    /// rsync to a daemon, called after each change, as scripts do.
    Rsync,
    /// csync2, called after each change.
    Csync2,
    /// lsyncd without delay, over rsync to a daemon.
    Lsyncd,
}

/// Where rsync's daemon listens.
pub(super) const RSYNC_PORT: u16 = 8730;

impl Contender {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Contender::Twinwall => "twinwall",
            Contender::Rsync => "rsync",
            Contender::Csync2 => "csync2",
            Contender::Lsyncd => "lsyncd",
        }
    }

    /// The folder that it keeps alike, on both machines.
    pub(super) fn folder(self) -> String {
        match self {
            Contender::Twinwall => "/etc/bench".to_owned(),
            Contender::Rsync | Contender::Csync2 | Contender::Lsyncd => {
                format!("/srv/{}", self.name())
            }
        }
    }

    /// The command that brings everything over; none where a daemon does by itself.
    pub(super) fn command(self, other: &str) -> Option<(&'static str, Vec<String>)> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Contender::Twinwall | Contender::Lsyncd => None,
            Contender::Rsync => {
                let (from, to) = (format!("{}/", self.folder()), rsync_url(other, self));
                Some(("rsync", words(&["-a", "--delete", &from, &to])))
            }
            Contender::Csync2 => Some(("csync2", words(&["-N", "gw-a", "-x"]))),
        }
    }
}

/// Where rsync sends a folder.
pub(super) fn rsync_url(other: &str, one: Contender) -> String {
    format!("rsync://{other}:{RSYNC_PORT}/{}/", one.name())
}

//! What one node tells the other in every beat. The core fills it in, `wire`
//! turns it into bytes and back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BootId, Epoch, MAX_PATHS, NameTag, PathId, Sequence};

/// The role a node holds now, as the other node and the operator see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RoleWord {
    /// Just started: listens, claims nothing yet.
    Starting,
    /// Serves nothing; takes over when it must.
    Passive,
    /// Makes itself ready to serve: addresses applied, gate not open yet.
    Claiming,
    /// Serves: both gates open.
    Active,
    /// No longer answers; forwards what still reaches it for a moment.
    Releasing,
}

impl RoleWord {
    /// The word of the role in text.
    pub const fn word(self) -> &'static str {
        match self {
            RoleWord::Starting => "starting",
            RoleWord::Passive => "passive",
            RoleWord::Claiming => "claiming",
            RoleWord::Active => "active",
            RoleWord::Releasing => "releasing",
        }
    }
}

/// Why a node says goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// The service was stopped; the machine runs on.
    ServiceStop,
    /// The machine shuts down or reboots.
    Shutdown,
}

/// How able a node is to serve, as it judges itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fitness {
    /// Bit per interface of `pair.toml` ([`InterfaceId::bit`](crate::ids::InterfaceId::bit)):
    /// watched, with carrier, and not held back by damping.
    pub healthy: u64,
    /// A check said no (or a required one has not said yes).
    pub check_failed: bool,
    /// The configuration was never synchronised.
    pub never_synchronised: bool,
    /// The operator took the node out of service.
    pub maintenance: bool,
    /// Its own addresses cannot be used (yet): it takes over in need, and no planned
    /// move goes to it.
    #[serde(default)]
    pub unready: bool,
    /// Not all connections that the other node carries are here yet: a planned move
    /// to the node waits for them, for a time.
    #[serde(default)]
    pub behind: bool,
    /// Which gateways it reaches.
    #[serde(default)]
    pub gateways: Gateways,
}

/// Which gateways of `pair.toml` a node reaches: a bit each, in their order. It ranks below
/// the number of healthy interfaces, and counts only as far as both nodes can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gateways {
    /// Those of which the node can tell.
    pub told: u16,
    /// Of these the ones that answer it.
    pub reached: u16,
}

impl Gateways {
    /// Of the gateways in `among` that it can tell of, how many do not answer.
    pub const fn unreached(self, among: u16) -> u32 {
        (self.told & among & !self.reached).count_ones()
    }
}

impl Fitness {
    /// Whether nothing but links could keep the node from serving.
    pub const fn eligible(self) -> bool {
        !self.check_failed && !self.never_synchronised && !self.maintenance
    }

    /// Whether a planned move may go to the node.
    pub const fn ready(self) -> bool {
        self.eligible() && !self.unready
    }

    /// Number of healthy watched interfaces.
    pub const fn links(self) -> u32 {
        self.healthy.count_ones()
    }
}

/// What a node heard on one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathHeard {
    /// Highest sequence of this session heard there; 0 when none was.
    pub sequence: Sequence,
    /// How long ago, when the beat was sent. Microseconds on the wire, saturating.
    pub age: Duration,
    /// The sender's own carrier there.
    pub carrier: bool,
    /// The interface behind the path; none while the sender knows nothing of it yet.
    #[serde(default)]
    pub interface: NameTag,
    /// The interface is watched, with carrier, and not held back.
    #[serde(default)]
    pub healthy: bool,
}

/// One beat. Its session (both boot ids) is not part of it: the frame is sealed
/// under a key that only that session has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Beat {
    /// Number of this beat, ascending within the session.
    pub sequence: Sequence,
    /// The sender asks for an answer at once.
    pub wants_answer: bool,
    /// The sender's role.
    pub role: RoleWord,
    /// The highest epoch that the sender has seen; its own while it claims, serves or releases.
    pub epoch: Epoch,
    /// 'I do not answer for the VIPs, and will not before a silence of T or a
    /// grant of yours, under any epoch up to this one.' 0 grants nothing.
    pub grant: Epoch,
    /// The sender serves and asks the peer to make itself ready to take over
    /// under this epoch; 0 when not.
    pub handover: Epoch,
    /// The sender is ready to serve under its `epoch`: addresses applied, links just checked.
    pub ready: bool,
    /// The sender goes away after this beat.
    pub leaving: Option<Leaving>,
    /// How able the sender is to serve.
    pub fitness: Fitness,
    /// The sender's lease works in its kernel (it can hold addresses behind a closed gate).
    pub gate: bool,
    /// The silence after which the sender counts its peer as dead; zero: not said.
    /// Whole milliseconds on the wire, rounded down.
    #[serde(default)]
    pub patience: Duration,
    /// Digest of the pair's settings, to notice that the two differ. See `config::Pair::digest`.
    pub settings: u64,
    /// Tag of the sender's list of interfaces and watches, see `config::Pair::list_tag`:
    /// where it is the receiver's own, `fitness.healthy` means the same to both.
    #[serde(default)]
    pub list: NameTag,
    /// What the sender heard on each path, by its own numbers.
    #[serde(with = "used_paths")]
    pub heard: [PathHeard; MAX_PATHS],
}

/// Paths in recordings: those behind the last one that is used are left out, which
/// makes a recording a quarter as long.
mod used_paths {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{MAX_PATHS, PathHeard};

    type Paths = [PathHeard; MAX_PATHS];

    pub(super) fn serialize<S: Serializer>(heard: &Paths, to: S) -> Result<S::Ok, S::Error> {
        let unused = heard.iter().rev().take_while(|path| **path == PathHeard::default());
        heard[..MAX_PATHS - unused.count()].serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Paths, D::Error> {
        let used = Vec::<PathHeard>::deserialize(from)?;
        let mut heard = [PathHeard::default(); MAX_PATHS];
        let places = heard.get_mut(..used.len());
        let places = places.ok_or_else(|| D::Error::invalid_length(used.len(), &"fewer paths"))?;
        places.copy_from_slice(&used);
        Ok(heard)
    }
}

/// A beat as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// Where it came in.
    pub path: PathId,
    /// The sender's run; a new one means that the peer's guard restarted.
    pub boot: BootId,
    /// What it says.
    pub beat: Beat,
}

//! What is known of a line: one event of a closed list, and whom it is about. Made by the readers
//! of the single services; shown by page, command and API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Format;

/// Longest field in bytes: a distinguished name, or a DUID of the longest kind (RFC 8415, section
/// 11.1: 128 octets) in hexadecimal digits with colons.
pub const MAX_FIELD: usize = 400;

/// What happened.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A client looks for a DHCP server.
    LeaseWanted,
    /// A server offered an address.
    LeaseOffered,
    /// A client asked for an address, or to keep its own.
    LeaseRequested,
    /// It has the address.
    LeaseGranted,
    /// It may not have the address.
    LeaseRefused,
    /// A client found that somebody else has the address.
    LeaseDeclined,
    /// A client gave the address back.
    LeaseReleased,
    /// A lease ended.
    LeaseExpired,
    /// There was no address left, or none for this client.
    NoLease,
    /// A client asked for settings without an address.
    SettingsAsked,
    /// A tunnel is being set up.
    TunnelBegun,
    /// A tunnel carries traffic.
    TunnelUp,
    /// A tunnel has new keys.
    TunnelRekeyed,
    /// A tunnel ended.
    TunnelDown,
    /// A tunnel could not be set up.
    TunnelFailed,
    /// The other end got an address within the tunnel.
    AddressGiven,
    /// Somebody could not prove who he is.
    SignInRefused,
}

impl Event {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Event::LeaseWanted => "lease wanted",
            Event::LeaseOffered => "lease offered",
            Event::LeaseRequested => "lease requested",
            Event::LeaseGranted => "lease granted",
            Event::LeaseRefused => "lease refused",
            Event::LeaseDeclined => "lease declined",
            Event::LeaseReleased => "lease released",
            Event::LeaseExpired => "lease expired",
            Event::NoLease => "no lease left",
            Event::SettingsAsked => "settings asked",
            Event::TunnelBegun => "tunnel begun",
            Event::TunnelUp => "tunnel up",
            Event::TunnelRekeyed => "tunnel rekeyed",
            Event::TunnelDown => "tunnel down",
            Event::TunnelFailed => "tunnel failed",
            Event::AddressGiven => "address given",
            Event::SignInRefused => "sign-in refused",
        }
    }
}

/// An event and whom it is about; what the line does not say is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fields {
    /// Whose line it is.
    pub format: Format,
    /// What happened.
    pub event: Event,
    /// The interface over which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The client's hardware address, or its DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The address that the client has, wants or had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Who is at the other end of a tunnel, as he proved it, or said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name of the connection in the service's own settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The address, with port where it is told, from which the other end comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// For how many seconds a lease holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_s: Option<u64>,
    /// Why, in the service's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Fields {
    pub(super) fn of(format: Format, event: Event) -> Fields {
        Fields {
            format,
            event,
            interface: None,
            mac: None,
            address: None,
            hostname: None,
            user: None,
            connection: None,
            peer: None,
            lease_s: None,
            reason: None,
        }
    }

    /// Each with its name, in the order in which people are shown them.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let lease = self.lease_s.map(|seconds| format!("{seconds} s"));
        let all = [
            ("address", self.address.clone()),
            ("MAC", self.mac.clone()),
            ("host", self.hostname.clone()),
            ("user", self.user.clone()),
            ("connection", self.connection.clone()),
            ("from", self.peer.clone()),
            ("interface", self.interface.clone()),
            ("for", lease),
            ("because", self.reason.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// What is empty is absent, what is too long is cut.
    pub(super) fn bounded(mut self) -> Fields {
        let all = [
            &mut self.interface,
            &mut self.mac,
            &mut self.address,
            &mut self.hostname,
            &mut self.user,
            &mut self.connection,
            &mut self.peer,
            &mut self.reason,
        ];
        for field in all {
            let Some(text) = field else { continue };
            let end = (0..=MAX_FIELD.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            if text.is_empty() {
                *field = None;
            }
        }
        self
    }
}

/// A piece of a line as a field.
pub(super) fn own(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

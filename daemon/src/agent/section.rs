//! The thirteen sections of an appliance's configuration (SPEC R15), in the order in
//! which they are shown and, where nothing else is said, applied.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A named part of the configuration, synchronised as a unit.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Interface configuration.
    Interfaces,
    /// Host, network and service objects.
    Definitions,
    /// Policies.
    Policies,
    /// Network settings: DHCP, DNS, routes.
    Network,
    /// Firewall settings.
    Firewall,
    /// VPN settings.
    Vpn,
    /// User management.
    Users,
    /// Support access and contact data.
    Support,
    /// Antivirus.
    Antivirus,
    /// Intrusion prevention.
    Ips,
    /// Mail protection.
    Mail,
    /// Application control (ACC).
    Applications,
    /// System parameters: time, kernel, SNMP, logs.
    System,
}

impl Section {
    /// All thirteen.
    pub const ALL: [Section; 13] = [
        Section::Interfaces,
        Section::Definitions,
        Section::Policies,
        Section::Network,
        Section::Firewall,
        Section::Vpn,
        Section::Users,
        Section::Support,
        Section::Antivirus,
        Section::Ips,
        Section::Mail,
        Section::Applications,
        Section::System,
    ];

    /// Its name in files, commands and the API.
    pub fn id(self) -> &'static str {
        match self {
            Section::Interfaces => "interfaces",
            Section::Definitions => "definitions",
            Section::Policies => "policies",
            Section::Network => "network",
            Section::Firewall => "firewall",
            Section::Vpn => "vpn",
            Section::Users => "users",
            Section::Support => "support",
            Section::Antivirus => "antivirus",
            Section::Ips => "ips",
            Section::Mail => "mail",
            Section::Applications => "applications",
            Section::System => "system",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Section::Interfaces => "Interface configuration",
            Section::Definitions => "Definitions",
            Section::Policies => "Policies",
            Section::Network => "Network settings",
            Section::Firewall => "Firewall settings",
            Section::Vpn => "VPN settings",
            Section::Users => "User management",
            Section::Support => "Support",
            Section::Antivirus => "Antivirus",
            Section::Ips => "IPS",
            Section::Mail => "Mail protection",
            Section::Applications => "Application control (ACC)",
            Section::System => "System parameters",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id())
    }
}

/// A word that names no section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSection(pub String);

impl fmt::Display for UnknownSection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Section::ALL.into_iter().map(Section::id).collect();
        write!(out, "no section is called '{}'; there are {}", self.0, known.join(", "))
    }
}

impl std::error::Error for UnknownSection {}

impl FromStr for Section {
    type Err = UnknownSection;

    fn from_str(text: &str) -> Result<Section, UnknownSection> {
        let found = Section::ALL.into_iter().find(|section| section.id() == text);
        found.ok_or_else(|| UnknownSection(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_thirteen_are_named_once_and_found_by_name() {
        let ids: std::collections::BTreeSet<_> =
            Section::ALL.into_iter().map(Section::id).collect();
        assert_eq!(ids.len(), 13);
        for section in Section::ALL {
            assert_eq!(section.id().parse(), Ok(section));
            assert_eq!(serde_json::to_value(section).ok(), Some(section.id().into()));
        }
        let refused = "nat".parse::<Section>().map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("'nat'") && text.contains("firewall")));
    }
}

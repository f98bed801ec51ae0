//! Mistakes in systemd-networkd's files: it has no check of its own and passes over what it
//! does not understand, so that an interface is without its address when it reads them. Called
//! by the command that the profile names as validator; changes nothing.
//!
//! Syntax and values by systemd.syntax(7), systemd.network(5), systemd.netdev(5) and
//! systemd.link(5) of systemd 252. Keys that are not checked here pass.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use twinwall_core::config::Prefix;

/// Sections of a .network file beside those of queueing disciplines.
const NETWORK: &str = "Match Link SR-IOV Network Address Neighbor IPv6AddressLabel \
    RoutingPolicyRule NextHop Route DHCPv4 DHCPv6 DHCPPrefixDelegation IPv6PrefixDelegation \
    IPv6AcceptRA DHCPServer DHCPServerStaticLease IPv6SendRA IPv6Prefix IPv6RoutePrefix Bridge \
    BridgeFDB BridgeMDB BridgeVLAN LLDP CAN IPoIB QDisc NetworkEmulator TokenBucketFilter PIE \
    FlowQueuePIE StochasticFairBlue StochasticFairnessQueueing BFIFO PFIFO PFIFOHeadDrop \
    PFIFOFast CAKE ControlledDelay DeficitRoundRobinScheduler DeficitRoundRobinSchedulerClass \
    EnhancedTransmissionSelection GenericRandomEarlyDetection FairQueueingControlledDelay \
    FairQueueing TrivialLinkEqualizer HierarchyTokenBucket HierarchyTokenBucketClass \
    HeavyHitterFilter QuickFairQueueing QuickFairQueueingClass";
const NETDEV: &str = "Match NetDev Bridge VLAN MACVLAN MACVTAP IPVLAN IPVTAP VXLAN GENEVE BareUDP \
    L2TP L2TPSession MACsec MACsecReceiveChannel MACsecTransmitAssociation \
    MACsecReceiveAssociation Tunnel FooOverUDP Peer VXCAN Tun Tap WireGuard WireGuardPeer Bond \
    Xfrm VRF BatmanAdvanced IPoIB WLAN";
const LINK: &str = "Match Link SR-IOV";
/// Words for yes and no (systemd.syntax(7)).
const BOOLEANS: [&str; 12] =
    ["1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off"];
/// Gateways that are no addresses.
const LEARNT: [&str; 5] = ["_dhcp4", "_dhcp6", "_ipv6ra", "dhcp", "ipv6ra"];

/// A mistake, with its place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; none where something is missing in the file.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub wrong: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.file.display();
        match self.line {
            Some(line) => write!(out, "{file}:{line}: {}", self.wrong),
            None => write!(out, "{file}: {}", self.wrong),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Network,
    Netdev,
    Link,
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        match name.rsplit_once('.')?.1 {
            "network" => Some(Kind::Network),
            "netdev" => Some(Kind::Netdev),
            "link" => Some(Kind::Link),
            _ => None,
        }
    }

    fn has(self, section: &str) -> bool {
        let known = match self {
            Kind::Network => NETWORK,
            Kind::Netdev => NETDEV,
            Kind::Link => LINK,
        };
        section.starts_with("X-") || known.split(' ').any(|one| one == section)
    }
}

/// Mistakes in the files of a folder and their drop-ins, in the order of their names.
///
/// # Errors
/// When a folder cannot be read.
pub fn verify(folder: &Path) -> io::Result<Vec<Mistake>> {
    let mut mistakes = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let drop_ins = name.strip_suffix(".d").and_then(Kind::of);
        if let Some(kind) = drop_ins.filter(|_| path.is_dir()) {
            for path in
                entries(&path)?.into_iter().filter(|it| it.extension() == Some("conf".as_ref()))
            {
                look(&path, kind, false, &mut mistakes);
            }
        } else if let Some(kind) = Kind::of(&name) {
            look(&path, kind, true, &mut mistakes);
        }
    }
    Ok(mistakes)
}

/// A file that cannot be read is a mistake as others.
fn look(path: &Path, kind: Kind, whole: bool, mistakes: &mut Vec<Mistake>) {
    match Text::read(path, kind) {
        Ok(text) => text.check(whole, mistakes),
        Err(error) => mistakes.push(Mistake {
            file: path.to_owned(),
            line: None,
            wrong: format!("cannot be read: {error}"),
        }),
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let found: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut found = found?;
    found.sort();
    Ok(found)
}

struct Text {
    path: PathBuf,
    kind: Kind,
    /// Logical lines with the number of their first.
    lines: Vec<(usize, String)>,
}

impl Text {
    fn read(path: &Path, kind: Kind) -> io::Result<Text> {
        // A link to /dev/null hides a file of the system: empty, and right.
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        Ok(Text { path: path.to_owned(), kind, lines: logical(&text) })
    }

    /// `whole`: it is no drop-in, which adds to a file that has the rest.
    fn check(&self, whole: bool, mistakes: &mut Vec<Mistake>) {
        let mut tell = |line, wrong| {
            mistakes.push(Mistake { file: self.path.clone(), line, wrong });
        };
        let (mut section, mut seen) = (None, Vec::new());
        for (number, line) in &self.lines {
            if let Some(header) = line.strip_prefix('[') {
                section = header.strip_suffix(']');
                match section {
                    Some(name) if !self.kind.has(name) => tell(
                        Some(*number),
                        format!("section [{name}] is not known here, and is passed over"),
                    ),
                    Some(name) => seen.push((name, "")),
                    None => tell(Some(*number), "a section's name ends with ']'".to_owned()),
                }
                continue;
            }
            let assigned = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
            match (assigned, section) {
                (None, _) => tell(Some(*number), format!("'{}' is no 'Key=value'", first(line))),
                (Some(_), None) => {
                    tell(
                        Some(*number),
                        format!("'{}' is in no section; write [Network] above", first(line)),
                    );
                }
                (Some((key, value)), Some(name)) => {
                    seen.push((name, key));
                    let wrong = wrong_value(self.kind, name, key, value);
                    wrong.into_iter().for_each(|wrong| tell(Some(*number), wrong));
                }
            }
        }
        if whole && !self.lines.is_empty() {
            lacks(self.kind, &seen).into_iter().for_each(|wrong| tell(None, wrong));
        }
    }
}

/// What systemd-networkd passes over a whole file for.
fn lacks(kind: Kind, seen: &[(&str, &str)]) -> Option<String> {
    let has = |section: &str, key: &str| seen.contains(&(section, key));
    match kind {
        Kind::Network if !seen.iter().any(|(name, key)| *name == "Match" && !key.is_empty()) => {
            Some("nothing in [Match], so the file is passed over; write Name=".to_owned())
        }
        Kind::Netdev if !has("NetDev", "Name") || !has("NetDev", "Kind") => {
            Some("[NetDev] needs Name= and Kind=, else the file is passed over".to_owned())
        }
        Kind::Network | Kind::Netdev | Kind::Link => None,
    }
}

/// The word that a line begins with: the rest may be a secret in the wrong form.
fn first(line: &str) -> &str {
    line.split(|it: char| it.is_whitespace() || it == '=').next().unwrap_or_default()
}

/// Lines without comments; one that ends with a backslash goes on on the next.
fn logical(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        // Comments stand between the parts of a continued line as well.
        if line.starts_with(['#', ';']) || (line.is_empty() && !goes_on) {
            continue;
        }
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => {
                whole.push(' ');
                whole.push_str(part.trim());
            }
            None => lines.push((index + 1, part.trim().to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// What is wrong with a value, and how it is written.
fn wrong_value(kind: Kind, section: &str, key: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        // Forgets what was assigned before.
        return None;
    }
    let says = |good: bool, how: &str| (!good).then(|| format!("{key}={value}: write {how}"));
    match (kind, section, key) {
        (Kind::Network, "Network" | "Address", "Address") => {
            says(is_prefix(value), "an address with its length, as 192.0.2.1/24")
        }
        (Kind::Network, "Network" | "Route", "Gateway") => {
            let good = is_address(value) || LEARNT.contains(&value);
            says(good, "an address, or _dhcp4 or _ipv6ra")
        }
        (Kind::Network, "Route", "Destination" | "Source") => {
            says(is_prefix(value), "a network with its length, as 192.0.2.0/24")
        }
        (Kind::Network, "Route", "PreferredSource")
        | (Kind::Network, "Address", "Peer")
        | (Kind::Network, "RoutingPolicyRule", "From" | "To") => {
            says(is_prefix(value), "an address")
        }
        (Kind::Network, "Network", "DNS") => {
            says(value.split_whitespace().all(is_server), "addresses of name servers")
        }
        (Kind::Network, "Network", "DHCP") => {
            let words = ["ipv4", "ipv6", "v4", "v6", "both", "none"];
            says(words.contains(&value) || is_boolean(value), "yes, no, ipv4 or ipv6")
        }
        (Kind::Network, "Network", "IPv6AcceptRA" | "ConfigureWithoutCarrier" | "DHCPServer")
        | (Kind::Network, "Route", "GatewayOnLink")
        | (Kind::Network, "Link", "Unmanaged") => says(is_boolean(value), "yes or no"),
        (_, _, "MTUBytes") => says(is_size(value), "a number of bytes, as 1500"),
        (Kind::Netdev, "VLAN", "Id") => {
            says(value.parse().is_ok_and(|id: u16| id <= 4094), "a number from 0 to 4094")
        }
        (_, _, "MACAddress") => says(is_mac(value), "an Ethernet address, as 02:00:00:00:00:01"),
        _ => None,
    }
}

fn is_prefix(value: &str) -> bool {
    value.parse::<Prefix>().is_ok() || is_address(value)
}

fn is_address(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}

fn is_boolean(value: &str) -> bool {
    BOOLEANS.contains(&value.to_ascii_lowercase().as_str())
}

/// `ADDRESS[:PORT][%INTERFACE][#NAME]`; IPv6 with a port stands in brackets.
fn is_server(value: &str) -> bool {
    let value = value.split(['%', '#']).next().unwrap_or_default();
    let bracketed = value.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bracketed {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None if is_address(value) => (value, None),
        None => value.rsplit_once(':').map_or((value, None), |(it, port)| (it, Some(port))),
    };
    is_address(address) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_size(value: &str) -> bool {
    let digits = value.strip_suffix(['K', 'M', 'G']).unwrap_or(value);
    digits.parse::<u32>().is_ok()
}

fn is_mac(value: &str) -> bool {
    let parts: Vec<&str> = value.split([':', '-']).collect();
    let byte = |part: &&str| part.len() == 2 && u8::from_str_radix(part, 16).is_ok();
    // Without separators, or in groups of four, as others write it.
    let plain: String = value.chars().filter(char::is_ascii_hexdigit).collect();
    (parts.len() == 6 && parts.iter().all(byte))
        || (plain.len() == 12 && value.chars().all(|it| it == '.' || it.is_ascii_hexdigit()))
        || ["none", "persistent", "random"].contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# the LAN\n[Match]\nName=lan0\n\n[Link]\nMTUBytes=1500\n[Network]\n\
        Address=192.0.2.1/24\nAddress=2001:db8::1/64\nDNS=192.0.2.9 2001:db8::9%lan0#a.example \\\n\
        ; between\n  [2001:db8::9]:53 192.0.2.9:53\nDHCP=no\nAddress=\nGateway=192.0.2.254\n\
        [Route]\nDestination=198.51.100.0/24\nGateway=_dhcp4\nGatewayOnLink=yes\n[X-Ours]\nany=thing\n";

    fn of(name: &str, text: &str) -> Vec<String> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = format!("twinwall-networkd-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        let told = verify(&folder).expect("read");
        fs::remove_dir_all(&folder).expect("removed");
        let place = path.display().to_string();
        told.iter().map(|it| it.to_string().replace(&place, "f")).collect()
    }

    #[test]
    fn what_networkd_takes_passes() {
        assert_eq!(of("10-lan.network", GOOD), Vec::<String>::new());
        let vlan = "[NetDev]\nName=v7\nKind=vlan\nMACAddress=02:00:00:00:00:01\n[VLAN]\nId=7\n";
        assert_eq!(of("10-v7.netdev", vlan), Vec::<String>::new());
        assert_eq!(of("10-lan.network.d/mtu.conf", "[Link]\nMTUBytes=9K\n"), Vec::<String>::new());
        assert_eq!(of("80-wifi.network", ""), Vec::<String>::new());
        assert_eq!(of("notes.txt", "Address=anything"), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_read_is_a_mistake_and_hides_no_other() {
        let folder = format!("twinwall-networkd-unread-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(folder.join("dir.network")).expect("made");
        std::os::unix::fs::symlink("nowhere", folder.join("a.network")).expect("linked");
        fs::write(folder.join("z.link"), "[Mtch]\n").expect("written");
        let told: Vec<String> =
            verify(&folder).expect("read").iter().map(ToString::to_string).collect();
        fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("a.network: cannot be read") && told[2].contains("[Mtch]"));
    }

    #[test]
    fn each_mistake_is_told_with_its_line_and_what_to_write() {
        let network =
            |lines: &str| of("a.network", &format!("[Match]\nName=a\n[Network]\n{lines}\n"));
        let cases = [
            (
                "Address=192.0.2.300/24",
                "f:4: Address=192.0.2.300/24: write an address with its length, as 192.0.2.1/24",
            ),
            (
                "Address=192.0.2.1/33",
                "f:4: Address=192.0.2.1/33: write an address with its length, as 192.0.2.1/24",
            ),
            ("Gateway=router", "f:4: Gateway=router: write an address, or _dhcp4 or _ipv6ra"),
            (
                "DNS=192.0.2.1 192.0.2",
                "f:4: DNS=192.0.2.1 192.0.2: write addresses of name servers",
            ),
            ("DHCP=maybe", "f:4: DHCP=maybe: write yes, no, ipv4 or ipv6"),
            ("[Nework]", "f:4: section [Nework] is not known here, and is passed over"),
            ("[Route", "f:4: a section's name ends with ']'"),
            ("Address 192.0.2.1/24", "f:4: 'Address' is no 'Key=value'"),
        ];
        for (lines, told) in cases {
            assert_eq!(network(lines), [told]);
        }
        let early = of("a.network", "Address=192.0.2.1/24\n[Match]\nName=a\n");
        assert_eq!(early, ["f:1: 'Address' is in no section; write [Network] above"]);
        let all = of("a.network", "[Network]\nDHCP=yes\n");
        assert_eq!(all, ["f: nothing in [Match], so the file is passed over; write Name="]);
        let nameless = of("a.netdev", "[NetDev]\nKind=vlan\n[VLAN]\nId=4095\n");
        assert_eq!(nameless.len(), 2, "{nameless:?}");
    }
}

//! The interfaces of the network namespace that this process is in.

use std::fs;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::netconf::live;

/// Where the kernel lists them, for the namespace of whoever reads it.
const LIST: &str = "/proc/self/net/dev";

/// Interfaces that are shown; more than any appliance has.
const MAX_SHOWN: usize = 256;

/// An interface as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceState {
    /// Its name.
    pub name: String,
    /// Whether an administrator, or the system, has set it up.
    pub up: bool,
    /// Whether it has carrier; none while it is not up.
    pub carrier: Option<bool>,
    /// Mb/s; none without carrier, or where the kernel does not say.
    pub speed: Option<u32>,
    /// Whether there is hardware behind it, and not only another interface.
    pub hardware: bool,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its addresses with their lengths, without link-local ones.
    pub addresses: Vec<String>,
}

/// All of them but the loopback interface, by name; `sys` is where sysfs is mounted.
///
/// # Errors
/// When /proc is not there.
pub fn look(sys: &Path) -> io::Result<Vec<InterfaceState>> {
    let mut names = names()?;
    names.sort();
    names.truncate(MAX_SHOWN);
    Ok(names.into_iter().map(|name| state(sys, name)).collect())
}

fn state(sys: &Path, name: String) -> InterfaceState {
    let place = sys.join("class/net").join(&name);
    let read = |file: &str| {
        let text = fs::read_to_string(place.join(file)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let flags = read("flags").and_then(|text| u32::from_str_radix(text.get(2..)?, 16).ok());
    let speed = read("speed").and_then(|text| text.parse().ok());
    // One that is gone again has none.
    let held = live::held(&name).unwrap_or_default();
    let is_link_local = |text: &String| text.starts_with("fe80:");
    InterfaceState {
        up: flags.is_some_and(|flags| flags & libc::IFF_UP.cast_unsigned() != 0),
        // The kernel refuses to say it of one that is not up.
        carrier: read("carrier").map(|word| word == "1"),
        speed: speed.filter(|speed| *speed > 0),
        hardware: place.join("device").exists(),
        mac: read("address"),
        addresses: held.iter().map(ToString::to_string).filter(|it| !is_link_local(it)).collect(),
        name,
    }
}

/// Their names, without the loopback interface.
///
/// # Errors
/// When /proc is not there.
pub fn names() -> io::Result<Vec<String>> {
    fs::read_to_string(LIST).map(|text| listed(&text))
}

/// Two lines of headings, then `NAME: numbers`.
fn listed(text: &str) -> Vec<String> {
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).filter(|name| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sysfs_says_of_an_interface_is_told_and_what_it_does_not_say_is_not() {
        let sys = std::env::temp_dir().join(format!("twinwall-interfaces-{}", std::process::id()));
        let place = sys.join("class/net/ha7");
        fs::create_dir_all(place.join("device")).expect("made");
        for (file, text) in
            [("flags", "0x1003\n"), ("carrier", "1\n"), ("speed", "1000\n"), ("address", "02:00\n")]
        {
            fs::write(place.join(file), text).expect("written");
        }
        let seen = state(&sys, "ha7".to_owned());
        assert_eq!((seen.up, seen.carrier, seen.speed), (true, Some(true), Some(1000)));
        assert!(seen.hardware && seen.mac.as_deref() == Some("02:00"));
        fs::write(place.join("speed"), "-1\n").expect("written");
        fs::write(place.join("flags"), "0x1002\n").expect("written");
        fs::remove_file(place.join("carrier")).expect("removed");
        let seen = state(&sys, "ha7".to_owned());
        assert_eq!((seen.up, seen.carrier, seen.speed), (false, None, None));
        assert!(seen.addresses.is_empty());
        fs::remove_dir_all(&sys).expect("removed");
    }

    #[test]
    fn every_interface_but_the_loopback_is_listed() {
        let text = "Inter-| Receive\n face |bytes\n    lo: 1 2\n  ha0: 3 4\neth1.20:5 6\n";
        assert_eq!(listed(text), ["ha0", "eth1.20"]);
        assert!(!names().expect("/proc").contains(&"lo".to_owned()));
    }
}

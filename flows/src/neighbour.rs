//! Neighbours of the HA interfaces: known beforehand, so that the first packets after a
//! takeover wait for no resolution.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Most neighbours that are carried: a full /20 of clients.
pub const MAX_NEIGHBOURS: usize = 4096;
/// Bytes of an interface's name (IFNAMSIZ), with its NUL.
pub const MAX_INTERFACE: usize = 16;

/// The name of an interface. The pair's interfaces have the same names on both nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interface([u8; MAX_INTERFACE]);

impl Interface {
    /// The name in these bytes up to their end or a NUL; `None` when the kernel would
    /// take no such name.
    pub fn new(bytes: &[u8]) -> Option<Interface> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let text = &bytes[..end];
        let good = |byte: &u8| byte.is_ascii_graphic() && *byte != b'/' && *byte != b':';
        if text.is_empty() || end >= MAX_INTERFACE || !text.iter().all(good) {
            return None;
        }
        let mut name = [0; MAX_INTERFACE];
        name[..end].copy_from_slice(text);
        Some(Interface(name))
    }

    /// Its bytes, filled up with NUL.
    pub fn bytes(&self) -> &[u8; MAX_INTERFACE] {
        &self.0
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(MAX_INTERFACE);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl std::fmt::Debug for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entry of the ARP or ND table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Where it is.
    pub interface: Interface,
    /// Its address.
    pub address: IpAddr,
    /// Its MAC; `None` when it is not known any more.
    pub mac: Option<[u8; 6]>,
}

/// Neighbours by interface and address, [`MAX_NEIGHBOURS`] at the most.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    known: BTreeMap<(Interface, IpAddr), [u8; 6]>,
}

impl Neighbours {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes an entry; whether that changed anything. When it is full, new ones stay out.
    pub fn take(&mut self, neighbour: &Neighbour) -> bool {
        let place = (neighbour.interface, neighbour.address);
        match neighbour.mac {
            None => self.known.remove(&place).is_some(),
            Some(mac) if self.known.contains_key(&place) || self.len() < MAX_NEIGHBOURS => {
                self.known.insert(place, mac) != Some(mac)
            }
            Some(_) => false,
        }
    }

    /// Makes `list` all there is.
    pub fn replace(&mut self, list: &[Neighbour]) {
        self.known.clear();
        for neighbour in list {
            self.take(neighbour);
        }
    }

    /// All of them.
    pub fn list(&self) -> Vec<Neighbour> {
        let entry = |(place, mac): (&(Interface, IpAddr), &[u8; 6])| Neighbour {
            interface: place.0,
            address: place.1,
            mac: Some(*mac),
        };
        self.known.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(last: u16, mac: Option<u8>) -> Neighbour {
        Neighbour {
            interface: Interface::new(b"lan0").unwrap(),
            address: IpAddr::from([
                0xfd,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                (last >> 8) as u8,
                last as u8,
            ]),
            mac: mac.map(|mac| [2, 0, 0, 0, 0, mac]),
        }
    }

    #[test]
    fn only_a_change_is_a_change() {
        let mut neighbours = Neighbours::default();
        assert!(neighbours.take(&entry(1, Some(1))));
        assert!(!neighbours.take(&entry(1, Some(1))));
        assert!(neighbours.take(&entry(1, Some(2))));
        assert!(!neighbours.take(&entry(2, None)));
        assert_eq!(neighbours.list(), [entry(1, Some(2))]);
        assert!(neighbours.take(&entry(1, None)));
        assert!(neighbours.is_empty());
    }

    #[test]
    fn more_than_there_is_room_for_stay_out() {
        let mut neighbours = Neighbours::default();
        for last in 0..=MAX_NEIGHBOURS as u16 {
            neighbours.take(&entry(last, Some(1)));
        }
        assert_eq!(neighbours.len(), MAX_NEIGHBOURS);
        assert!(neighbours.take(&entry(0, Some(9))), "a known one still changes");
        neighbours.replace(&[entry(1, Some(1))]);
        assert_eq!(neighbours.len(), 1);
    }

    #[test]
    fn names_that_the_kernel_refuses_are_none() {
        for bad in [&b""[..], b"\0lan0", b"lan/0", b"a name", b"0123456789abcdef"] {
            assert_eq!(Interface::new(bad), None, "{bad:?}");
        }
        assert_eq!(Interface::new(b"lan0\0rest").unwrap().as_str(), "lan0");
    }
}

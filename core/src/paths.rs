//! Which interface is behind which path, and the names by which two nodes with
//! different lists know what they share. Pure; used by the core and by its shells.

use crate::config::Pair;
use crate::ids::{InterfaceId, MAX_PATHS, NameTag, PathId};

/// The path over an interface of these settings; `None` for an unwatched one and
/// for those beyond [`MAX_PATHS`].
pub fn path_of(pair: &Pair, interface: InterfaceId) -> Option<PathId> {
    let entry = pair.interfaces.get(interface.index())?;
    let before = pair.interfaces.iter().take(interface.index()).filter(|other| other.watch).count();
    (entry.watch && before + 1 < MAX_PATHS).then_some(PathId(before as u8 + 1))
}

impl Pair {
    /// The names of the interfaces behind the paths, the HA link's first.
    pub fn path_names(&self) -> impl Iterator<Item = &str> {
        let watched = self.interfaces.iter().filter(|interface| interface.watch);
        let names = watched.map(|interface| interface.name.as_str());
        std::iter::once(self.ha_link.interface.as_str()).chain(names).take(MAX_PATHS)
    }

    /// The tags of the interfaces behind the paths; none where there is no path.
    pub fn path_tags(&self) -> [NameTag; MAX_PATHS] {
        let mut tags = [NameTag::NONE; MAX_PATHS];
        for (tag, name) in tags.iter_mut().zip(self.path_names()) {
            *tag = NameTag::of(name);
        }
        tags
    }

    /// The interface behind each path; none behind the HA link.
    pub(crate) fn path_interfaces(&self) -> [Option<InterfaceId>; MAX_PATHS] {
        let mut interfaces = [None; MAX_PATHS];
        for index in 0..self.interfaces.len() {
            let id = InterfaceId(index as u8);
            if let Some(path) = path_of(self, id) {
                interfaces[path.index()] = Some(id);
            }
        }
        interfaces
    }

    /// A tag of the list of interfaces, in order, with their watches.
    pub fn list_tag(&self) -> NameTag {
        let entry = |interface: &crate::config::Interface| {
            let mark = if interface.watch { '*' } else { ' ' };
            format!("{}{mark}", interface.name)
        };
        NameTag::of(&self.interfaces.iter().map(entry).collect::<String>())
    }
}

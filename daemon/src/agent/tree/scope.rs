//! What a section covers: which paths travel, which stay, in which files addresses are
//! translated. Built from the profile's lists; asked by the scan, and by the writer
//! before it touches anything. It never looks at a disk.

use std::ffi::CString;

use serde::{Deserialize, Serialize};

use super::glob::{GlobError, Globs, Positions};
use crate::agent::manifest::RelPath;

/// Below these nothing is ever read or written for a section, whatever a profile or a
/// peer says: the kernel's own trees, and what twinwall keeps for itself.
const NEVER: [&str; 7] =
    ["/proc", "/sys", "/dev", "/run/twinwall", "/etc/twinwall", "/var/lib/twinwall", "/boot/efi"];

/// Names that begin so are our own temporary files, wherever they lie.
pub(super) const TEMPORARY: &[u8] = b".twinwall-tmp-";

/// The lists of a section as they stand in the profile. Patterns start with `/` (which
/// means the agent's root); `*`, `?` and `[…]` match within one component, leading dots
/// included, and `**` any number of components. A directory that matches brings
/// everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    /// What belongs to the section.
    pub include: Vec<String>,
    /// What of that does not.
    pub exclude: Vec<String>,
    /// What of that is each node's own, and never travels.
    pub node_local: Vec<String>,
    /// In which files the addresses of HA interfaces are translated.
    pub translate: Vec<String>,
}

/// The compiled lists of one section.
#[derive(Clone, Debug)]
pub struct Scope {
    lists: Lists,
    include: Globs,
    /// Excluded, node-local and forbidden paths: none of them is ever read or written.
    keep_out: Globs,
    translate: Globs,
}

/// A place in the tree on the way down, and what the lists say there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    include: Positions,
    keep_out: Positions,
    translate: Positions,
    included: bool,
    kept_out: bool,
    translated: bool,
}

impl Scope {
    /// Compiles the lists.
    pub fn new(lists: Lists) -> Result<Scope, GlobError> {
        let never = NEVER.iter().map(|path| (*path).to_owned());
        let outside: Vec<String> =
            lists.exclude.iter().chain(&lists.node_local).cloned().chain(never).collect();
        Ok(Scope {
            include: Globs::new(&lists.include)?,
            keep_out: Globs::new(&outside)?,
            translate: Globs::new(&lists.translate)?,
            lists,
        })
    }

    /// What it was built from.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Whether this path belongs to the section: included, and neither excluded nor
    /// node-local, nor below anything that is.
    pub fn covers(&self, path: &RelPath) -> bool {
        self.place(path).covered()
    }

    /// Whether addresses are translated in the file at this path.
    pub fn translates(&self, path: &RelPath) -> bool {
        self.place(path).translated()
    }

    /// The place of the root itself, which no section covers.
    pub(super) fn root(&self) -> Place {
        Place {
            include: self.include.start(),
            keep_out: self.keep_out.start(),
            translate: self.translate.start(),
            included: false,
            kept_out: false,
            translated: false,
        }
    }

    pub(super) fn place(&self, path: &RelPath) -> Place {
        let names = path.as_bytes().split(|byte| *byte == b'/');
        names.fold(self.root(), |place, name| place.enter(self, name))
    }
}

impl Place {
    /// The place of `name` in this directory.
    pub(super) fn enter(&self, scope: &Scope, name: &[u8]) -> Place {
        let keep_out = scope.keep_out.advance(&self.keep_out, name);
        let kept_out =
            self.kept_out || scope.keep_out.ends(&keep_out) || name.starts_with(TEMPORARY);
        let include = scope.include.advance(&self.include, name);
        let translate = scope.translate.advance(&self.translate, name);
        Place {
            included: self.included || scope.include.ends(&include),
            kept_out,
            translated: self.translated || scope.translate.ends(&translate),
            include,
            keep_out,
            translate,
        }
    }

    /// Whether what lies here belongs to the section.
    pub(super) fn covered(&self) -> bool {
        self.included && !self.kept_out
    }

    pub(super) fn translated(&self) -> bool {
        self.translated && self.covered()
    }

    /// Whether anything below can belong to the section.
    pub(super) fn leads_on(&self) -> bool {
        !self.kept_out && (self.included || !self.include.is_empty())
    }

    /// The names that can lead on, if the patterns say them literally: then the directory
    /// need not be listed.
    pub(super) fn only_names(&self, scope: &Scope) -> Option<Vec<CString>> {
        if self.included {
            return None;
        }
        let mut names = scope.include.names(&self.include)?;
        names.sort_unstable();
        names.dedup();
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(include: &[&str], exclude: &[&str], node_local: &[&str]) -> Scope {
        let list = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        Scope::new(Lists {
            include: list(include),
            exclude: list(exclude),
            node_local: list(node_local),
            translate: vec!["/etc/net/*.network".to_owned()],
        })
        .unwrap()
    }

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_section_covers_what_is_included_and_not_kept_out() {
        let scope = scope(&["/etc/vpn", "/etc/net"], &["/etc/vpn/*.bak"], &["/etc/vpn/keys"]);
        for (text, covered) in [
            ("etc/vpn", true),
            ("etc/vpn/a/b", true),
            ("etc/vpn/a.bak", false),
            ("etc/vpn/a.bak/inside", false),
            ("etc/vpn/keys", false),
            ("etc/vpn/keys/node.pem", false),
            ("etc", false),
            ("etc/vpn2", false),
            ("etc/vpn/.twinwall-tmp-1", false),
        ] {
            assert_eq!(scope.covers(&path(text)), covered, "{text}");
        }
        assert!(scope.translates(&path("etc/net/lan.network")));
        assert!(!scope.translates(&path("etc/net/lan.netdev")));
    }

    #[test]
    fn no_profile_can_include_what_is_each_nodes_own() {
        let scope = scope(&["/etc", "/var/lib", "/proc", "/sys", "/dev"], &[], &[]);
        for text in ["etc/twinwall/pair.key", "var/lib/twinwall/store/x", "proc/1/mem", "sys/a"] {
            assert!(!scope.covers(&path(text)), "{text}");
        }
        assert!(scope.covers(&path("etc/hosts")));
    }
}

//! Owners and modes that the profile gives to files, whatever they are on the disk. A section
//! is read as the rules say it (so both nodes mean the same), and written so on the node that
//! takes it; where this node's own disk says otherwise is told, and mended when the section is
//! next changed here. Nothing here touches a disk.

use std::fmt;

use super::pattern::Patterns;
use super::rules::Rules;
use crate::agent::manifest::{Entry, Kind, Manifest, Owner, RelPath};

/// Owner and mode of some files of a section.
#[derive(Clone, Debug)]
pub struct OwnerRule {
    /// Which files and directories.
    pub files: Patterns,
    /// Their user, by name.
    pub user: Option<String>,
    /// Their group, by name.
    pub group: Option<String>,
    /// Permission bits of the files.
    pub mode: Option<u16>,
    /// Permission bits of the directories.
    pub directory_mode: Option<u16>,
}

/// A path whose owner or mode is not what the profile says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Where.
    pub path: RelPath,
    /// As it is.
    pub is: Entry,
    /// As the profile wants it.
    pub wanted: Entry,
}

impl Rules {
    /// What the first rule for this path says of its owner and mode.
    pub fn owner_rule(&self, path: &RelPath) -> Option<&OwnerRule> {
        self.owners.iter().find(|rule| rule.files.matches(path))
    }

    /// Gives every path the owner and mode that the profile says; what was otherwise.
    pub fn rule_owners(&self, manifest: &mut Manifest) -> Vec<Deviation> {
        if self.owners.is_empty() {
            return Vec::new();
        }
        let deviation = |(path, is): (&RelPath, &Entry)| {
            let wanted = self.owner_rule(path)?.applied_to(is);
            let differs = wanted != *is;
            differs.then(|| Deviation { path: path.clone(), is: is.clone(), wanted })
        };
        let deviations: Vec<Deviation> = manifest.iter().filter_map(deviation).collect();
        for one in &deviations {
            manifest.insert(one.path.clone(), one.wanted.clone());
        }
        deviations
    }
}

impl OwnerRule {
    /// A symlink keeps what it has: nobody asks for its owner, and it has no mode.
    fn applied_to(&self, entry: &Entry) -> Entry {
        let mode = match entry.kind {
            Kind::File { .. } => self.mode,
            Kind::Directory => self.directory_mode,
            Kind::Symlink { .. } => return entry.clone(),
        };
        let named = |rule: &Option<String>, owner: &Owner| match rule {
            Some(name) => Owner::Name(name.clone()),
            None => owner.clone(),
        };
        Entry {
            kind: entry.kind.clone(),
            mode: mode.unwrap_or(entry.mode),
            user: named(&self.user, &entry.user),
            group: named(&self.group, &entry.group),
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is, wanted) = (&self.is, &self.wanted);
        let mut said = Vec::new();
        if is.user != wanted.user {
            said.push(format!("user {} and not {}", is.user, wanted.user));
        }
        if is.group != wanted.group {
            said.push(format!("group {} and not {}", is.group, wanted.group));
        }
        if is.mode != wanted.mode {
            said.push(format!("mode {:04o} and not {:04o}", is.mode, wanted.mode));
        }
        write!(out, "{} has {} as the profile says", self.path, said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::digest::Digest;
    use crate::agent::profile::parse_profile;
    use crate::agent::section::Section;

    const PROFILE: &str = "format = 1\nname = \"test\"\n[appliance]\n\
        model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
        firmware = { file = \"/etc/firmware\" }\n[section.vpn]\npaths = [\"/etc/vpn\"]\n\
        [[section.vpn.owner]]\nfiles = [\"/etc/vpn/keys\"]\nuser = \"vpn\"\nmode = \"0600\"\n\
        directory_mode = \"0700\"\n\
        [[section.vpn.owner]]\nfiles = [\"/etc/vpn\"]\ngroup = \"admin\"\n";

    fn entry(kind: Kind, mode: u16) -> Entry {
        let root = Owner::Name("root".to_owned());
        Entry { kind, mode, user: root.clone(), group: root }
    }

    fn shown(entry: &Entry) -> String {
        format!("{}:{} {:04o}", entry.user, entry.group, entry.mode)
    }

    #[test]
    fn the_first_rule_that_matches_gives_what_it_names_and_links_keep_what_they_have() {
        let profile = parse_profile("test", PROFILE).unwrap_or_else(|errors| panic!("{errors}"));
        let rules = &profile.sections[&Section::Vpn];
        let file = || Kind::File { size: 1, content: Digest::of(b"x") };
        let link = Kind::Symlink { target: b"a".to_vec() };
        let path = |text: &str| RelPath::new(text.as_bytes()).expect("a path");
        let mut manifest: Manifest = [
            (path("etc/vpn"), entry(Kind::Directory, 0o755)),
            (path("etc/vpn/a"), entry(file(), 0o644)),
            (path("etc/vpn/keys"), entry(Kind::Directory, 0o755)),
            (path("etc/vpn/keys/a"), entry(file(), 0o644)),
            (path("etc/vpn/keys/link"), entry(link, 0)),
        ]
        .into_iter()
        .collect();
        let before = manifest.clone();
        let deviations = rules.rule_owners(&mut manifest);
        let after: Vec<String> = manifest.iter().map(|(_, entry)| shown(entry)).collect();
        let wanted = [
            "root:admin 0755",
            "root:admin 0644",
            "vpn:root 0700",
            "vpn:root 0600",
            "root:root 0000",
        ];
        assert_eq!(after, wanted);
        assert_eq!(
            deviations[3].to_string(),
            "/etc/vpn/keys/a has user root and not vpn, mode 0644 and not 0600 as the profile says"
        );
        assert!(deviations.iter().all(|it| before.get(&it.path) == Some(&it.is)));
        assert_eq!(rules.rule_owners(&mut manifest), [], "what is right stays");
    }
}

//! Names and numbers of users and groups, from the files below the root. Read anew for
//! each scan and each write: a section may be what changes them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use super::Root;
use crate::agent::manifest::{MAX_OWNER, Owner};

/// Most bytes of `etc/passwd` or `etc/group` that are read.
const MAX_FILE: u64 = 16 << 20;

/// Users and groups of this node.
#[derive(Debug, Default)]
pub(super) struct Owners {
    users: Names,
    groups: Names,
}

/// The user of this number below the root, by name if there is one.
///
/// # Errors
/// When the file of users cannot be read.
pub fn user(root: &Root, number: u32) -> io::Result<Owner> {
    Ok(Owners::read(root)?.user(number))
}

/// The number of the user of this name below the root, if there is one.
///
/// # Errors
/// As [`user`].
pub fn user_number(root: &Root, name: &str) -> io::Result<Option<u32>> {
    Ok(Owners::read(root)?.user_number(&Owner::Name(name.to_owned())))
}

/// The number of the group of this name below the root, if there is one.
///
/// # Errors
/// As [`user`].
pub fn group_number(root: &Root, name: &str) -> io::Result<Option<u32>> {
    Ok(Owners::read(root)?.group_number(&Owner::Name(name.to_owned())))
}

/// One of the two files. The first line wins, for a name as for a number.
#[derive(Debug, Default)]
struct Names {
    names: HashMap<u32, Owner>,
    numbers: HashMap<String, u32>,
}

impl Owners {
    /// A root without these files has numbers only.
    pub(super) fn read(root: &Root) -> io::Result<Owners> {
        Ok(Owners {
            users: Names::read(&root.path().join("etc/passwd"))?,
            groups: Names::read(&root.path().join("etc/group"))?,
        })
    }

    pub(super) fn user(&self, number: u32) -> Owner {
        self.users.name(number)
    }

    pub(super) fn group(&self, number: u32) -> Owner {
        self.groups.name(number)
    }

    /// The number of this user here, if there is such a user.
    pub(super) fn user_number(&self, user: &Owner) -> Option<u32> {
        self.users.number(user)
    }

    /// The number of this group here, if there is such a group.
    pub(super) fn group_number(&self, group: &Owner) -> Option<u32> {
        self.groups.number(group)
    }
}

impl Names {
    fn read(path: &Path) -> io::Result<Names> {
        let bytes = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Names::default()),
            Err(error) => return Err(error),
            Ok(seen) if !seen.is_file() || seen.len() > MAX_FILE => {
                let text = format!("{} is no file of users or groups", path.display());
                return Err(io::Error::other(text));
            }
            Ok(_) => fs::read(path)?,
        };
        let mut names = Names::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            let (name, number) = (fields.next(), fields.nth(1));
            let text = |field: Option<&[u8]>| std::str::from_utf8(field?).ok().map(str::to_owned);
            let (Some(name), Some(number)) = (text(name), text(number)) else { continue };
            let Ok(number) = number.parse() else { continue };
            if (1..=MAX_OWNER).contains(&name.len()) && !name.contains('\0') {
                names.names.entry(number).or_insert_with(|| Owner::Name(name.clone()));
                names.numbers.entry(name).or_insert(number);
            }
        }
        Ok(names)
    }

    fn name(&self, number: u32) -> Owner {
        self.names.get(&number).cloned().unwrap_or(Owner::Number(number))
    }

    fn number(&self, owner: &Owner) -> Option<u32> {
        match owner {
            Owner::Name(name) => self.numbers.get(name).copied(),
            Owner::Number(number) => Some(*number),
        }
    }
}

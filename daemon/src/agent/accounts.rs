//! Names of users and groups, from `etc/passwd` and `etc/group` below the root. Asked by
//! the scan, which tells owners by name, by the writer, and by the API for its callers.
//!
//! Only these two files: names from a directory service may be away when a node needs
//! them most. Whoever is not in them goes by number.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::manifest::{MAX_OWNER, Owner};

/// The accounts of one node, as they were when read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    users: Names,
    groups: Names,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    by_number: BTreeMap<u32, String>,
    by_name: BTreeMap<String, u32>,
}

impl Accounts {
    /// Reads both files; one that cannot be read knows nobody.
    pub fn read(root: &Path) -> Accounts {
        let names = |file: &str| {
            let text = fs::read(root.join(file)).unwrap_or_default();
            Names::parse(&String::from_utf8_lossy(&text))
        };
        Accounts { users: names("etc/passwd"), groups: names("etc/group") }
    }

    /// The user with this number.
    pub fn user(&self, number: u32) -> Owner {
        self.users.owner(number)
    }

    /// The group with this number.
    pub fn group(&self, number: u32) -> Owner {
        self.groups.owner(number)
    }

    /// The number of this user here; none when its name is unknown.
    pub fn user_number(&self, owner: &Owner) -> Option<u32> {
        self.users.number(owner)
    }

    /// The number of this group here.
    pub fn group_number(&self, owner: &Owner) -> Option<u32> {
        self.groups.number(owner)
    }
}

impl Names {
    /// Lines of `name:password:number:…` (passwd(5), group(5)). As the C library does,
    /// the first line wins.
    fn parse(text: &str) -> Names {
        let mut names = Names::default();
        for line in text.lines() {
            let mut fields = line.split(':');
            let name = fields.next().unwrap_or_default();
            let number = fields.nth(1).and_then(|number| number.parse().ok());
            let Some(number) = number.filter(|_| (1..=MAX_OWNER).contains(&name.len())) else {
                continue;
            };
            names.by_number.entry(number).or_insert_with(|| name.to_owned());
            names.by_name.entry(name.to_owned()).or_insert(number);
        }
        names
    }

    fn owner(&self, number: u32) -> Owner {
        let name = self.by_number.get(&number);
        name.map_or(Owner::Number(number), |name| Owner::Name(name.clone()))
    }

    fn number(&self, owner: &Owner) -> Option<u32> {
        match owner {
            Owner::Name(name) => self.by_name.get(name).copied(),
            Owner::Number(number) => Some(*number),
        }
    }
}

/// The name of a user of this machine, for people.
pub fn user_name(number: u32) -> Option<String> {
    match Accounts::read(Path::new("/")).user(number) {
        Owner::Name(name) => Some(name),
        Owner::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_both_ways_and_the_first_line_wins() {
        let names =
            Names::parse("root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/\nbad line\na:x:b:\n:x:7:\n");
        assert_eq!(names.owner(0), Owner::Name("root".to_owned()));
        assert_eq!(names.owner(7), Owner::Number(7));
        assert_eq!(names.number(&Owner::Name("toor".to_owned())), Some(0));
        assert_eq!(names.number(&Owner::Name("nobody-here".to_owned())), None);
        assert_eq!(names.number(&Owner::Number(9)), Some(9));
    }

    #[test]
    fn without_the_files_everybody_goes_by_number() {
        let accounts = Accounts::read(Path::new("/nonexistent"));
        assert_eq!((accounts.user(0), accounts.group(0)), (Owner::Number(0), Owner::Number(0)));
    }

    #[test]
    fn this_machine_knows_root() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
    }
}

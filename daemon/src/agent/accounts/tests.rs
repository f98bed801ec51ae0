//! The file of accounts, changed as the API changes it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::agent::api::error::Code;
use crate::agent::clock::unix_ms;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("twinwall-accounts-{name}-{process}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("etc")).expect("made");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn add(folder: &Folder, name: &str, role: Role) -> Result<(), Refusal> {
    let password = "correct horse battery".to_owned();
    Accounts::add(&folder.0, &NewAccount { name: name.to_owned(), role, password })
}

#[test]
fn what_is_written_is_read_again_and_others_may_not_read_it() {
    let folder = Folder::new("file");
    assert_eq!(Accounts::read(&folder.0).expect("empty"), Accounts::default());
    add(&folder, "anna", Role::Administrator).expect("made");
    add(&folder, "ben", Role::Viewer).expect("made");
    Accounts::set_role(&folder.0, "ben", Role::Operator).expect("changed");
    let made = token("watch", Role::Administrator, None);
    let token = Accounts::add_token(&folder.0, "ben", &made).expect("made").token;
    let accounts = Accounts::read(&folder.0).expect("read");
    assert_eq!(accounts.view().len(), 2);
    let view = &accounts.view()[1].tokens[0];
    assert_eq!((view.name.as_str(), view.scope), ("watch", Role::Operator), "never more than he");
    let (account, scope) = accounts.by_token(&token, unix_ms()).expect("known");
    assert_eq!((account.name.as_str(), scope), ("ben", Role::Operator), "never more than he");
    let text = std::fs::read_to_string(folder.0.join(FILE)).expect("read");
    assert!(!text.contains(&token) && !text.contains("correct horse"), "{text}");
    let mode = |path: &str| {
        std::fs::metadata(folder.0.join(path)).expect("there").permissions().mode() & 0o777
    };
    assert_eq!((mode(FILE), mode("etc/twinwall-accounts")), (0o640, 0o750));
    let before = unix_ms();
    Accounts::end_sessions(&folder.0, "ben").expect("ended");
    let accounts = Accounts::read(&folder.0).expect("read");
    assert!(accounts.find("ben").is_some_and(|it| it.sessions_after_ms >= Some(before)));
    Accounts::remove(&folder.0, "ben").expect("removed");
    let accounts = Accounts::read(&folder.0).expect("read");
    assert!(accounts.by_token(&token, unix_ms()).is_none() && accounts.tokens.is_empty());
}

fn token(name: &str, scope: Role, expires_ms: Option<u64>) -> NewToken {
    NewToken { name: name.to_owned(), scope, expires_ms }
}

#[test]
fn a_token_is_good_until_its_end_and_grows_with_no_role() {
    let folder = Folder::new("tokens");
    add(&folder, "anna", Role::Administrator).expect("made");
    add(&folder, "ben", Role::Viewer).expect("made");
    let now = unix_ms();
    let new = token("watch", Role::Operator, Some(now + 60_000));
    let made = Accounts::add_token(&folder.0, "ben", &new).expect("made");
    assert_eq!(made.scope, Role::Viewer, "no more than ben");
    Accounts::set_role(&folder.0, "ben", Role::Operator).expect("changed");
    let accounts = Accounts::read(&folder.0).expect("read");
    let scope = |at| accounts.by_token(&made.token, at).map(|(_, scope)| scope);
    assert_eq!(scope(now + 59_999), Some(Role::Viewer));
    assert_eq!(scope(now + 60_000), None);
    assert_eq!(accounts.view()[1].tokens[0].expires_ms, Some(now + 60_000));
    for end in [0, now, now + 20 * 366 * 86_400_000, u64::MAX] {
        let wrong = Accounts::add_token(&folder.0, "ben", &token("x", Role::Viewer, Some(end)));
        let wrong = wrong.err().expect("refused");
        assert_eq!(wrong.details[0].place, "expires_ms");
    }
    let twice = Accounts::add_token(&folder.0, "ben", &new).err().expect("refused");
    assert_eq!((twice.code, twice.details[0].place.as_str()), (Code::Conflict, "name"));
}

#[test]
fn the_last_administrator_stays() {
    let folder = Folder::new("last");
    add(&folder, "anna", Role::Administrator).expect("made");
    add(&folder, "ben", Role::Operator).expect("made");
    let conflict = |done: Result<(), Refusal>| done.is_err_and(|it| it.code == Code::Conflict);
    assert!(conflict(Accounts::remove(&folder.0, "anna")));
    assert!(conflict(Accounts::set_role(&folder.0, "anna", Role::Operator)));
    assert!(conflict(add(&folder, "ben", Role::Viewer)));
    Accounts::set_role(&folder.0, "ben", Role::Administrator).expect("changed");
    Accounts::remove(&folder.0, "anna").expect("removed");
}

#[test]
fn a_name_that_could_be_mistaken_is_refused_at_its_field() {
    for name in ["", "Anna", "a b", "-x", "ä", "a'\nrole = 'administrator", &"x".repeat(33)] {
        let refusal = check_name("name", name).expect_err(name);
        assert_eq!(refusal.details[0].place, "name");
    }
    check_name("name", "anna.b-2").expect("a name");
}

#[test]
fn a_file_that_is_broken_lets_nobody_in_and_is_not_overwritten() {
    let folder = Folder::new("broken");
    let path = folder.0.join(FILE);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    for text in
        ["[[account]]\nname = 'x'", "nonsense", "[[account]]\nname='x'\nrole='god'\npassword=''"]
    {
        std::fs::write(&path, text).expect("written");
        assert!(Accounts::read(&folder.0).is_err_and(|it| it.message.contains("mend the file")));
        assert!(add(&folder, "anna", Role::Administrator).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    }
}

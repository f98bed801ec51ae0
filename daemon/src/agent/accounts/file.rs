//! The file of accounts: TOML, replaced as a whole, readable for root and the console's
//! group and for nobody else.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use super::super::api::caller::CONSOLE_USER;
use super::super::api::error::Refusal;
use super::super::tree::{Root, group_number};
use super::{Account, Accounts, Token};

/// Most bytes that are read: every account and token with room to spare.
const MAX: u64 = 256 << 10;
const HEADER: &str = "# Accounts of the console. Written by twinwall: 'twinwall account' changes \
    them.\n# Part of the section 'user management', so that both nodes have the same.\n";

pub(super) fn read(path: &Path) -> Result<Accounts, Refusal> {
    let wrong = |error: &dyn std::fmt::Display| {
        Refusal::machine(format!(
            "{}: {error}; mend the file, or put an older version of the section back",
            path.display()
        ))
    };
    let text = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Accounts::default()),
        Err(error) => return Err(wrong(&error)),
        Ok(seen) if seen.len() > MAX => return Err(wrong(&format!("more than {MAX} bytes"))),
        Ok(_) => fs::read_to_string(path).map_err(|error| wrong(&error))?,
    };
    toml::from_str(&text).map_err(|error| wrong(&error.message()))
}

/// Replaces the file; after a return it also outlives a power cut.
pub(super) fn write(path: &Path, accounts: &Accounts) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let group = Root::open(Path::new("/")).and_then(|root| group_number(&root, CONSOLE_USER))?;
    DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o750))?;
    chown(folder, None, group)?;
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text(accounts).as_bytes())?;
    chown(&draft, None, group)?;
    file.set_permissions(Permissions::from_mode(0o640))?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

/// Names and hashes are of characters that need no escape in TOML.
fn text(accounts: &Accounts) -> String {
    let account = |one: &Account| {
        let Account { name, role, password, sessions_after_ms } = one;
        let role = role.word();
        let after = sessions_after_ms.map(|it| format!("sessions_after_ms = {it}\n"));
        let after = after.unwrap_or_default();
        format!("\n[[account]]\nname = '{name}'\nrole = '{role}'\npassword = '{password}'\n{after}")
    };
    let token = |one: &Token| {
        let Token { name, account, scope, hash, expires_ms } = one;
        let scope = scope.word();
        let end = expires_ms.map(|end| format!("expires_ms = {end}\n")).unwrap_or_default();
        format!(
            "\n[[token]]\nname = '{name}'\naccount = '{account}'\nscope = '{scope}'\n\
             hash = '{hash}'\n{end}"
        )
    };
    let all = accounts.accounts.iter().map(account).chain(accounts.tokens.iter().map(token));
    std::iter::once(HEADER.to_owned()).chain(all).collect()
}

//! What the console may do on the machine: nothing. Started as root it becomes its own user
//! before it opens anything or starts a thread; as any other user it stays that one.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use crate::agent::api::GROUP;
use crate::agent::api::caller::CONSOLE_USER;
use crate::agent::tree::{Root, group_number, user_number};
use crate::rights::become_user;

/// The console's own folder, relative to the root: its certificate.
pub(super) const STATE: &str = "var/lib/twinwall-web";
/// The beats come first, then whatever carries traffic, then the pages.
const NICENESS: i32 = 10;

/// Makes the folder, and becomes the console's user where that is due and possible.
///
/// # Errors
/// The system's. A machine without that user keeps the one that started it.
pub(super) fn drop_to_own_user(root: &Path) -> io::Result<()> {
    let state = root.join(STATE);
    DirBuilder::new().recursive(true).mode(0o700).create(&state)?;
    rustix::process::nice(NICENESS)?;
    // A page that was stopped in the middle of something must leave no memory on the disk.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    fs::set_permissions(&state, Permissions::from_mode(0o700))?;
    let machine = Root::open(Path::new("/"))?;
    let (Some(user), Some(group)) =
        (user_number(&machine, CONSOLE_USER)?, group_number(&machine, CONSOLE_USER)?)
    else {
        eprintln!("twinwall web: there is no user {CONSOLE_USER} here; going on as root");
        return Ok(());
    };
    let own = |path: &Path| chown(path, Some(user), Some(group));
    own(&state)?;
    fs::read_dir(&state)?.try_for_each(|entry| own(&entry?.path()))?;
    become_user(user, group, group_number(&machine, GROUP)?)
}

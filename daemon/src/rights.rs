//! Gives up root's rights for good: the console and the process that speaks with snmpd run as
//! users of their own. Called by a process that has one thread; it never takes rights back.

use std::io;

/// Becomes this user with this group and at most one more.
///
/// # Errors
/// The system's, or that the rights could be had again.
pub(crate) fn become_user(user: u32, group: u32, more: Option<u32>) -> io::Result<()> {
    let groups: Vec<libc::gid_t> = more.into_iter().collect();
    let done = |result: libc::c_int| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: the list outlives the call, and its length is its own.
    done(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: no memory is involved.
    done(unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: no memory is involved.
    done(unsafe { libc::setresuid(user, user, user) })?;
    rustix::thread::set_no_new_privs(true)?;
    // SAFETY: no memory is involved.
    match unsafe { libc::setuid(0) } {
        0 => Err(io::Error::other("root's rights could not be given up")),
        _ => Ok(()),
    }
}

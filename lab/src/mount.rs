//! The few mounts that the lab makes, all in mount namespaces of its own.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Mounts a new file system of this kind (`tmpfs`, `proc`, `sysfs`) at `target`.
pub fn fresh(kind: &str, target: &Path) -> io::Result<()> {
    mount(kind, target, Some(kind), 0)
}

/// Shows `source` at `target` as well.
pub fn bind(source: &str, target: &Path) -> io::Result<()> {
    mount(source, target, None, libc::MS_BIND)
}

/// Shows `source` and all that is mounted below it at `target` as well.
pub fn bind_all(source: &str, target: &Path) -> io::Result<()> {
    mount(source, target, None, libc::MS_BIND | libc::MS_REC)
}

/// Mounts `lower` at `target` with what is written going to `upper`; `work` is an empty
/// directory beside that.
pub fn overlay(lower: &Path, upper: &Path, work: &Path, target: &Path) -> io::Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    mount_with("overlay", target, Some("overlay"), 0, Some(&options))
}

/// Keeps mounts made from now on in this mount namespace.
pub fn make_private() -> io::Result<()> {
    mount("none", Path::new("/"), None, libc::MS_REC | libc::MS_PRIVATE)
}

/// Takes the mount at `target` away, at once for new users.
pub fn detach(target: &Path) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    // SAFETY: the string lives until the call returns.
    if unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn mount(source: &str, target: &Path, kind: Option<&str>, flags: libc::c_ulong) -> io::Result<()> {
    mount_with(source, target, kind, flags, None)
}

fn mount_with(
    source: &str,
    target: &Path,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: Option<&str>,
) -> io::Result<()> {
    let source = CString::new(source)?;
    let target_c = CString::new(target.as_os_str().as_bytes())?;
    let kind = kind.map(CString::new).transpose()?;
    let kind_ptr = kind.as_ref().map_or(ptr::null(), |kind| kind.as_ptr());
    let options = options.map(CString::new).transpose()?;
    let options_ptr = options.as_ref().map_or(ptr::null(), |options| options.as_ptr().cast());
    // SAFETY: all pointers are to strings that live until the call returns, or null where allowed.
    let failed =
        unsafe { libc::mount(source.as_ptr(), target_c.as_ptr(), kind_ptr, flags, options_ptr) };
    if failed != 0 {
        let cause = io::Error::last_os_error();
        return Err(io::Error::new(
            cause.kind(),
            format!("mount at {}: {cause}", target.display()),
        ));
    }
    Ok(())
}

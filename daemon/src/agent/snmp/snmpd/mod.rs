//! twinwall's own file beside the administrator's configuration of snmpd: written when SNMP data
//! of both appliances are wanted, removed when they are not, and never anything else touched.
//! Waits for the disk and for snmpd: for threads that may.

mod grants;
mod lines;
mod listens;
mod text;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use twinwall_core::config::Snmp;

use super::view::Context;
use crate::agent::guard::Control;
use crate::agent::step::{Leftovers, Step};
use lines::MAIN;
use text::{Wishes, make};

/// The file, below the root. Debian's snmpd.conf includes its directory.
pub const FILE: &str = "etc/snmp/snmpd.conf.d/twinwall.conf";
/// What snmpd lets twinwall itself read.
const VIEW: &str = "twinwall-reads";
/// Where AgentX is unless snmpd.conf says otherwise.
const AGENTX: &str = "/var/agentx/master";
/// Where an snmpd that no systemd runs notes its number, below the root.
const PID: &str = "run/snmpd.pid";
/// Its owner and its group may read it: the community of twinwall is in it.
const MODE: u32 = 0o640;
/// As Debian has the directory.
const FOLDER_MODE: u32 = 0o755;
/// A restart of snmpd takes well under a second.
const LIMIT: Duration = Duration::from_secs(20);

/// What is wanted of snmpd.
pub(super) struct Wanted<'a> {
    /// The contexts of both nodes.
    pub(super) contexts: &'a [Context],
    /// `[snmp]` of the settings.
    pub(super) settings: &'a Snmp,
    /// The community by which twinwall reads.
    pub(super) community: &'a str,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether the file was written or removed.
    pub(super) changed: bool,
    /// Where this node asks its snmpd.
    pub(super) at: Option<SocketAddr>,
    /// What is to be known or done, each in a sentence.
    pub(super) notes: Vec<String>,
    /// Why snmpd was not told of a change; it knows of it when it starts anew.
    pub(super) untold: Option<String>,
}

/// Makes the file as it is wanted, and tells snmpd of a change. Repeats are harmless.
pub(super) fn renew(root: &Path, control: Control, wanted: Option<&Wanted<'_>>) -> Outcome {
    let path = root.join(FILE);
    let Some(wanted) = wanted else { return remove(root, control) };
    let found = match lines::read(root, &path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Outcome { notes: vec![not_installed()], ..Outcome::default() };
        }
        Err(error) => return failed(format!("/{MAIN} cannot be read: {error}")),
    };
    let Wanted { contexts, settings, community } = *wanted;
    let made = make(&found, &Wishes { contexts, settings, community });
    let notes = notes(&found, made.notes);
    if fs::read(&path).is_ok_and(|now| now == made.text.as_bytes()) {
        return Outcome { at: made.at, notes, ..Outcome::default() };
    }
    if let Err(error) = write(root, &path, &made.text) {
        return failed(format!("/{FILE} cannot be written: {error}"));
    }
    let untold = tell(root, control).err();
    Outcome { changed: true, at: made.at, notes, untold }
}

/// What an administrator should know of snmpd's configuration below `root` while SNMP data of both
/// appliances are wanted, each in a sentence. Changes nothing.
pub(super) fn advice(root: &Path) -> Vec<String> {
    let wanted = Wishes { contexts: &[], settings: &Snmp::default(), community: "" };
    match lines::read(root, &root.join(FILE)) {
        Ok(found) => notes(&found, make(&found, &wanted).notes),
        Err(error) if error.kind() == ErrorKind::NotFound => vec![not_installed()],
        Err(error) => vec![format!("/{MAIN} cannot be read: {error}")],
    }
}

fn not_installed() -> String {
    format!("snmpd is not installed here: there is no /{MAIN}")
}

/// The notes of the text, and that snmpd does not read its file.
fn notes(found: &lines::Found, mut notes: Vec<String>) -> Vec<String> {
    if !found.includes_ours {
        notes.push(format!(
            "snmpd.conf does not include the directory of /{FILE}: add the line 'includeDir \
             /etc/snmp/snmpd.conf.d' to it"
        ));
    }
    notes
}

/// Takes the file away; one that is not there is as good.
pub(super) fn remove(root: &Path, control: Control) -> Outcome {
    match fs::remove_file(root.join(FILE)) {
        Ok(()) => {
            let untold = tell(root, control).err();
            Outcome { changed: true, untold, ..Outcome::default() }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Outcome::default(),
        Err(error) => failed(format!("/{FILE} cannot be removed: {error}")),
    }
}

/// Where snmpd waits for subagents.
pub(super) fn agentx(root: &Path) -> PathBuf {
    let found = lines::read(root, &root.join(FILE)).unwrap_or_default();
    let named = found.lines.iter().rev().find_map(|line| match line.as_slice() {
        [word, place, ..] if word.eq_ignore_ascii_case("agentxsocket") => Some(place.clone()),
        _ => None,
    });
    // Several may be named; the first socket of a file is taken.
    let place = named.iter().flat_map(|all| all.split(',')).find_map(|one| {
        let path = one.strip_prefix("unix:").unwrap_or(one);
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    place.unwrap_or_else(|| PathBuf::from(AGENTX))
}

fn failed(note: String) -> Outcome {
    Outcome { notes: vec![note], ..Outcome::default() }
}

/// Whole or not at all, for those who may read snmpd.conf: snmpd has given up root's rights when it
/// is told to read again. The agent's umask leaves nothing to others, so that no mode at the
/// making of a file or directory would do.
fn write(root: &Path, path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(root);
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
    }
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let own = fs::metadata(root.join(MAIN))?;
    fchown(&file, Some(own.uid()), Some(own.gid()))?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

/// Has snmpd read its files.
fn tell(root: &Path, control: Control) -> Result<(), String> {
    let systemd = control != Control::Run && Path::new("/run/systemd/system").exists();
    if root == Path::new("/") && systemd {
        let verb = if may_reload(root) { "try-reload-or-restart" } else { "try-restart" };
        let step = Step::new(&["systemctl", verb, "snmpd.service"], LIMIT);
        return step
            .run(Path::new("/"), Leftovers::Stay)
            .map(drop)
            .map_err(|failure| format!("snmpd was not told: {failure}; restart it by hand"));
    }
    let number = fs::read_to_string(root.join(PID)).ok();
    let process = number.and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    let is_snmpd = |process: &Pid| {
        let name = fs::read_to_string(format!("/proc/{}/comm", process.as_raw_nonzero()));
        name.is_ok_and(|name| name.trim() == "snmpd")
    };
    // A number that is left over may be another process's by now.
    let Some(process) = process.filter(is_snmpd) else {
        return Err(format!(
            "snmpd was not told of a change of /{FILE}: systemd does not run it here, and /{PID} \
             names none; if it runs, restart it"
        ));
    };
    kill_process(process, Signal::HUP)
        .map_err(|error| format!("snmpd was not told to read its files again: {error}"))
}

/// Whether snmpd can go on: it has AgentX by the administrator's own lines, and its own user may
/// read them again. One that cannot would go on without any line.
fn may_reload(root: &Path) -> bool {
    const GROUP_READS: u32 = 0o040;
    let readable = fs::metadata(root.join(MAIN)).is_ok_and(|it| it.mode() & GROUP_READS != 0);
    let found = lines::read(root, &root.join(FILE)).unwrap_or_default();
    readable && text::has_agentx(&found.lines)
}

#[cfg(test)]
mod tests {
    use rustix::fs::Mode;
    use rustix::process::umask;
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::*;

    /// As the agent's unit has it, whose umask leaves nothing to others.
    #[test]
    fn snmpds_own_user_may_read_the_file_whatever_the_umask_is() {
        let root = std::env::temp_dir().join(format!("twinwall-snmpd-{}", std::process::id()));
        fs::create_dir_all(root.join("etc/snmp")).expect("made");
        fs::write(root.join(MAIN), "master agentx\n").expect("written");
        let (below, path) = (root.clone(), root.join(FILE));
        let work = move || {
            // SAFETY: of what threads share only the umask and the working directory are this
            // thread's own from here on.
            unsafe { unshare_unsafe(UnshareFlags::FS) }.expect("apart");
            umask(Mode::from_raw_mode(0o077));
            write(&below, &path, "text\n")
        };
        std::thread::spawn(work).join().expect("no panic").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o7777;
        let path = root.join(FILE);
        let folder = path.parent().expect("a directory");
        assert_eq!((mode(&path), mode(folder)), (0o640, 0o755));
        fs::remove_dir_all(&root).expect("removed");
    }
}

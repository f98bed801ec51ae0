//! Who may change or read what twinwall is set by: owners, modes and second names of the
//! files in etc/twinwall. Asked by `twinwall check`; it changes nothing.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use twinwall::agent::identity;
use twinwall::agent::profile;
use twinwall::files::{self, NODE, PAIR, problem};
use twinwall::web::OWN_CERTIFICATE;
use twinwall_core::config::Problem;

/// Below this everything of it lies.
const DIRECTORY: &str = "etc/twinwall";

/// What is wrong with them. What is not there is another's to say.
pub(super) fn problems(root: &Path) -> Vec<Problem> {
    let key = files::key_file(root).ok();
    let key_directory = key.as_deref().and_then(Path::parent).map(Path::to_owned);
    let own = root.join(DIRECTORY);
    let identity = root.join(identity::DIRECTORY);
    let mut open = vec![own.clone(), identity.clone()];
    open.extend(key_directory.filter(|directory| *directory != own));
    open.extend([NODE, PAIR, profile::FILE].map(|file| root.join(file)));
    open.extend(["node.pem", "peer.pem"].map(|file| identity.join(file)));
    let console = root.join(OWN_CERTIFICATE).with_file_name("key.pem");
    let closed = [identity.clone(), identity.join("node.pem"), console.clone()];
    let secrets = key.into_iter().chain([identity.join("node.pem")]);
    let mut problems: Vec<Problem> =
        secrets.filter_map(|path| second_name(&path, &fs::metadata(&path).ok()?)).collect();
    if let Ok(path) = files::key_file(root) {
        problems.extend(fs::metadata(&path).ok().and_then(|it| owner(&path, &it)));
    }
    for path in closed {
        problems.extend(fs::metadata(&path).ok().and_then(|it| readable(&path, &it)));
    }
    for path in open {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        problems.extend(owner(&path, &metadata));
        problems.extend(writable(&path, &metadata));
    }
    problems
}

fn owner(path: &Path, metadata: &Metadata) -> Option<Problem> {
    let own = rustix::process::geteuid().as_raw();
    (metadata.uid() != 0 && metadata.uid() != own).then(|| {
        let wrong = format!("belongs to user {}, who may change it", metadata.uid());
        problem(path, wrong, format!("chown root:root {}", path.display()))
    })
}

fn writable(path: &Path, metadata: &Metadata) -> Option<Problem> {
    let mode = metadata.mode() & 0o7777;
    let who = match (mode & 0o002, mode & 0o020) {
        (0, 0) => return None,
        (0, _) => "its group",
        (_, _) => "everybody",
    };
    let what = if metadata.is_dir() { "put other files into it" } else { "change it" };
    let wrong = format!("{who} may {what} (mode {mode:04o})");
    let remedy = format!("chmod go-w {}, and look at what is in it", path.display());
    // A group of administrators may be meant.
    Some(Problem { warning: mode & 0o002 == 0, ..problem(path, wrong, remedy) })
}

/// A private key, or the folder of one, that is open to others.
fn readable(path: &Path, metadata: &Metadata) -> Option<Problem> {
    let mode = metadata.mode() & 0o7777;
    let who = match (mode & 0o005, mode & 0o050) {
        (0, 0) => return None,
        (0, _) => "its group",
        (_, _) => "everybody",
    };
    let (what, remedy) = match metadata.is_dir() {
        true => ("look into the folder of a private key", ""),
        false => ("read this private key", ", and make another key: it may be known"),
    };
    let wrong = format!("{who} may {what} (mode {mode:04o})");
    Some(problem(path, wrong, format!("chmod go= {}{remedy}", path.display())))
}

fn second_name(path: &Path, metadata: &Metadata) -> Option<Problem> {
    (metadata.nlink() > 1).then(|| {
        let wrong = format!(
            "has {} names (hard links): whoever may read another one has the secret",
            metadata.nlink()
        );
        let remedy = format!(
            "find the others with 'find / -samefile {}', remove them, and change the keys: \
             twinwall pair rotate",
            path.display()
        );
        problem(path, wrong, remedy)
    })
}

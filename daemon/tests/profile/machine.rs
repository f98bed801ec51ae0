//! A copy of the machine's /etc that only the calling thread sees, and changes to it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    unmount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use twinwall::agent::apply::{Journal, Outcome, Part, Plan, apply};
use twinwall::agent::digest::Digest;
use twinwall::agent::engine::assemble::scopes;
use twinwall::agent::manifest::{Kind, Manifest};
use twinwall::agent::profile::{Profile, REFERENCE, REFERENCE_NAME, parse_profile};
use twinwall::agent::section::Section;
use twinwall::agent::step::Step;
use twinwall::agent::translate::Translator;
use twinwall::agent::tree::{Cache, Ground, Root, Scope, open_content, scan};

/// One section of the copied machine.
pub(crate) struct Machine {
    base: PathBuf,
    journal: Journal,
    root: Root,
    scope: Scope,
    profile: Profile,
    section: Section,
    kept: HashMap<Digest, Vec<u8>>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        for place in [Path::new("/etc"), &self.base] {
            let _ = unmount(place, UnmountFlags::DETACH);
        }
        let _ = fs::remove_dir(&self.base);
    }
}

impl Machine {
    /// From here on the calling thread sees a copy of /etc.
    pub(crate) fn copied(section: Section) -> Machine {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinwall-profile-{}-{number}", std::process::id());
        let base = std::env::temp_dir().join(name);
        fs::create_dir(&base).unwrap();
        // SAFETY: the descriptors stay shared; only mounts become this thread's own.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.expect("these tests run as root");
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        mount("twinwall", &base, "tmpfs", MountFlags::empty(), c"mode=0755").unwrap();
        let copied = Command::new("cp").args(["-a", "/etc"]).arg(&base).status().unwrap();
        assert!(copied.success());
        mount_bind_recursive(base.join("etc"), "/etc").unwrap();
        let profile = parse_profile(REFERENCE_NAME, REFERENCE).expect("the profile is right");
        let scope = scopes(&profile).expect("its patterns are right").remove(&section).unwrap();
        Machine {
            base: base.clone(),
            journal: Journal::open(&base.join("journal")).unwrap(),
            root: Root::open(Path::new("/")).unwrap(),
            scope,
            profile,
            section,
            kept: HashMap::new(),
        }
    }

    /// Writes a file of the copy, with the directories above it.
    pub(crate) fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// What the section is now, its contents kept.
    fn manifest(&mut self) -> Manifest {
        let translator = Translator::default();
        let ground = Ground { root: &self.root, scope: &self.scope, translator: &translator };
        let found = scan(ground, &mut Cache::default()).unwrap();
        for (path, entry) in found.manifest.iter() {
            let Kind::File { content, .. } = entry.kind else { continue };
            let mut bytes = Vec::new();
            open_content(ground, path).unwrap().read_to_end(&mut bytes).unwrap();
            self.kept.insert(content, bytes);
        }
        found.manifest
    }

    /// Gives the file this content as a synchronisation would, and says how that ended.
    pub(crate) fn change(&mut self, path: &str, content: &str) -> Outcome {
        let before = fs::read(path).ok();
        let parent_was_there = Path::new(path).parent().unwrap().exists();
        self.write(path, content);
        let to = self.manifest();
        match before {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        assert!(parent_was_there, "make the directory of {path} first");
        let from = self.manifest();
        assert_ne!(from, to, "{path} does not belong to {}", self.section);
        let members: Vec<Section> =
            self.profile.units().into_iter().find(|unit| unit.contains(&self.section)).unwrap();
        let tasks = members.iter().flat_map(|it| &self.profile.sections[it].validate);
        let due = tasks.filter(|task| {
            // As the change leaves it: what it adds is there.
            task.is_due(|needed| {
                to.get(needed).is_some() || Path::new("/").join(needed.as_path()).exists()
            })
        });
        let validate: Vec<Step> = due.map(|task| task.step.clone()).collect();
        assert!(!validate.is_empty(), "nothing validates {path}; run `cargo xtask setup`");
        let mut cache = Cache::default();
        let part = Part {
            section: self.section,
            scope: &self.scope,
            cache: &mut cache,
            from: &from,
            to: &to,
            validate: &validate,
            apply: &[],
        };
        let translator = Translator::default();
        let title = "a test".to_owned();
        let mut plan = Plan { root: &self.root, translator: &translator, parts: vec![part], title };
        let kept = &self.kept;
        let contents = |digest: &Digest| -> io::Result<Box<dyn Read + Send>> {
            let bytes = kept.get(digest).ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(Cursor::new(bytes.clone())))
        };
        apply(&mut plan, &self.journal, &contents, &|_| ControlFlow::Continue(()))
    }

    /// The wrong content is refused in the program's own words and the disk is as it was;
    /// the right one is taken.
    pub(crate) fn judge(&mut self, path: &str, right: &str, wrong: &str, words: &str) {
        let before = self.manifest();
        let outcome = self.change(path, wrong);
        assert!(matches!(outcome, Outcome::Refused(_)), "{path}: {outcome}");
        assert!(outcome.to_string().contains(words), "{path}: {outcome}");
        assert_eq!(self.manifest(), before, "{path}: something was changed");
        let outcome = self.change(path, right);
        let Outcome::Applied(notes) = &outcome else { panic!("{path}: {outcome}") };
        assert_eq!(notes.as_slice(), [], "{path}: validated beforehand");
        assert_eq!(fs::read_to_string(path).unwrap(), right);
    }
}

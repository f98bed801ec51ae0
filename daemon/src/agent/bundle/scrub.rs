//! Hides secrets: every text that is one on this node, wherever it stands, and whatever is
//! written like one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::bytes::{NoExpand, Regex, RegexBuilder};

use crate::agent::accounts;
use crate::agent::alerts::secret;
use crate::agent::identity;
use crate::agent::identity::private;
use crate::agent::manifest::Kind;
use crate::agent::node::Node;
use crate::agent::profile::Rules;
use crate::agent::store::Store;
use crate::files;

const MASK: &[u8] = b"******";
/// A shorter text is hidden only where it is written like a secret: it would else take parts
/// of words away.
const SHORTEST: usize = 6;
/// Bytes of a secret that are looked for; what begins like it is not shown either.
const LOOKED_FOR: usize = 128;
/// Secrets that are looked for.
const MAX_SECRETS: usize = 5_000;
/// Longest file with secrets that is read, in bytes.
const MAX_FILE: u64 = 256 << 10;
/// Files with secrets that are read of a section.
const MAX_FILES: usize = 500;

/// What is written like a secret: its name, then `=` or `:`, then itself.
const WRITTEN: &str = r#"(?i)((?:password|passwd|passphrase|secret|psk|private[_-]?key|community|bearer|authkey)"?\s*[=:]\s*"?)[^\s",;}]+"#;
/// A private key in PEM.
const PEM: &str = r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----";

/// What is hidden.
pub(super) struct Scrub {
    known: Option<Regex>,
    written: Option<Regex>,
    pem: Option<Regex>,
}

impl Scrub {
    /// What is secret on this node.
    pub(super) fn of(node: &Node) -> Scrub {
        let mut secrets = BTreeSet::new();
        for path in files_of_keys(node.root()) {
            let content = private::read(&path, MAX_FILE).map(|found| found.bytes);
            content.iter().for_each(|content| add_lines(&mut secrets, content));
        }
        secrets.extend(of_alerts(node.root()));
        let kept = accounts::Accounts::read(node.root()).unwrap_or_default();
        let hashes = kept.accounts.iter().map(|it| &it.password);
        let hashes = hashes.chain(kept.tokens.iter().map(|it| &it.hash));
        secrets.extend(hashes.map(|hash| hash.as_bytes().to_vec()));
        for (section, rules) in &node.settings().profile.sections {
            let head = node.store().head(*section);
            let manifest = head.and_then(|head| node.store().manifest(&head.manifest).ok());
            if let Some(manifest) = manifest {
                add_section(&mut secrets, rules, &manifest, node.store());
            }
        }
        Scrub::from(secrets)
    }

    /// These, and what is written like one.
    pub(super) fn from(secrets: BTreeSet<Vec<u8>>) -> Scrub {
        let long = secrets.iter().filter(|secret| secret.len() >= SHORTEST).take(MAX_SECRETS);
        let escaped: Vec<String> = long
            .map(|secret| &secret[..secret.len().min(LOOKED_FOR)])
            .map(|secret| regex::escape(&String::from_utf8_lossy(secret)))
            .collect();
        let any =
            |expression: &str| RegexBuilder::new(expression).size_limit(64 << 20).build().ok();
        Scrub {
            known: any(&escaped.join("|")).filter(|_| !escaped.is_empty()),
            written: any(WRITTEN),
            pem: any(PEM),
        }
    }

    /// The content without them.
    pub(super) fn hide(&self, content: &[u8]) -> Vec<u8> {
        let mut text = content.to_vec();
        for known in self.pem.iter().chain(&self.known) {
            text = known.replace_all(&text, NoExpand(MASK)).into_owned();
        }
        if let Some(written) = &self.written {
            text = written.replace_all(&text, &b"${1}******"[..]).into_owned();
        }
        text
    }
}

/// The pair's key, this node's own, the next ones of a change, and the console's.
fn files_of_keys(root: &Path) -> Vec<PathBuf> {
    let key = files::key_file(root).ok();
    let mut folders = vec![root.join(identity::DIRECTORY)];
    folders.extend(["etc/twinwall-web", "var/lib/twinwall-web"].map(|it| root.join(it)));
    let mut found: Vec<PathBuf> = key.clone().into_iter().collect();
    if let Some((key, folder)) = key.as_ref().and_then(|key| Some((key, key.parent()?))) {
        // Older and newer ones have its name with more behind it.
        let name = key.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = list(folder).into_iter();
        found.extend(beside.filter(|path| {
            path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&name))
        }));
    }
    found.extend(folders.iter().flat_map(|folder| list(folder)));
    found
}

/// What alert targets are told with, in each form in which it may stand in a text.
pub(super) fn of_alerts(root: &Path) -> Vec<Vec<u8>> {
    let files = list(&root.join(secret::FOLDER)).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "secret"));
    let read = files.filter_map(|path| private::read(&path, MAX_FILE).ok());
    let texts = read.filter_map(|found| String::from_utf8(found.bytes).ok());
    let forms = texts.filter(|text| text.len() >= SHORTEST).flat_map(|text| secret::forms(&text));
    forms.map(String::into_bytes).collect()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_FILES);
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// Each line for itself: a key is seldom quoted as a whole.
fn add_lines(secrets: &mut BTreeSet<Vec<u8>>, content: &[u8]) {
    let lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let long = lines.filter(|line| line.len() >= SHORTEST && !line.starts_with(b"-----"));
    secrets.extend(long.map(<[u8]>::to_vec));
}

fn add_section(
    secrets: &mut BTreeSet<Vec<u8>>,
    rules: &Rules,
    manifest: &crate::agent::manifest::Manifest,
    store: &Store,
) {
    let with = manifest.iter().filter(|(path, _)| rules.holds_secrets(path));
    for (path, entry) in with.take(MAX_FILES) {
        let Kind::File { size, content } = &entry.kind else { continue };
        if *size > MAX_FILE {
            continue;
        }
        let Ok(content) = store.read_whole(content, MAX_FILE as usize) else { continue };
        for secret in rules.secrets_in(path, &content) {
            add_lines(secrets, secret);
        }
    }
}

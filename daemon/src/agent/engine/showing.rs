//! What differs in a section between the nodes, or between two of its versions, for people
//! who choose a direction. The other node's manifest and contents come into the store like
//! those of a synchronisation; nothing on the disk is touched. Called by the worker.

use std::collections::BTreeMap;
use std::io::Read;

use super::diff::{MAX_TEXT, SectionDiff, Sources, compare};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Manifest, RelPath};
use crate::agent::profile::Rules;
use crate::agent::section::Section;
use crate::agent::store::Store;
use crate::agent::translate::Translator;

/// How contents are shown: with this node's addresses, and without secrets.
pub struct Shown {
    /// What is secret in each section.
    pub rules: BTreeMap<Section, Rules>,
    /// This node's addresses.
    pub translator: Translator,
}

impl Shown {
    /// Compares two manifests of a section whose contents are in the store.
    pub fn compare(
        &self,
        section: Section,
        old: &Manifest,
        new: &Manifest,
        store: &Store,
    ) -> SectionDiff {
        let content = |digest: &Digest| content(store, digest);
        let shown = |path: &RelPath, text: &str| self.text(section, path, text);
        compare(old, new, &Sources { content: &content, shown: &shown })
    }

    fn text(&self, section: Section, path: &RelPath, text: &str) -> String {
        // Marks of addresses that this node does not know stay marks: it is only shown.
        let local = self.translator.to_local(text.as_bytes());
        let local = local.unwrap_or(std::borrow::Cow::Borrowed(text.as_bytes()));
        let masked = match self.rules.get(&section) {
            Some(rules) => rules.masked(path, &local),
            None => local.into_owned(),
        };
        String::from_utf8_lossy(&masked).into_owned()
    }
}

fn content(store: &Store, digest: &Digest) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let reader = store.read(digest).map_err(|error| error.to_string())?;
    reader
        .take(MAX_TEXT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("content {}: {error}", digest.short()))?;
    Ok(bytes)
}

//! What a pairing leaves on the disk, and how it is forgotten. Each file is written whole
//! or not at all, and the peer's certificate last: without it the node is not paired, and
//! the pairing can be begun again.

use std::fs;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, value};
use twinwall_core::config::{default_key_file, key_text, parse_node, parse_pair};
use twinwall_core::ids::Designation;

use super::exchange::{Agreed, Stop};
use super::rotate;
use crate::agent::identity::peer::{Peer, remove_peer, write_peer};
use crate::agent::identity::{Certificate, certificate_pem, private};
use crate::files::{self, NODE, PAIR};

/// Settings of an earlier pair are kept beside the new ones under this name.
pub const BEFORE: &str = "etc/twinwall/pair.toml.before-pairing";

/// What a node shows of itself for a pairing by files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The node's name.
    pub node: String,
    /// Its certificate (PEM). Public; what counts is that nobody exchanged it on the way.
    pub certificate: String,
}

/// The settings of a pair that has none yet: off, and nothing but the HA link.
pub fn first_settings(pair_id: u16, interface: &str) -> String {
    format!(
        "# Written when the nodes were paired. 'twinwall ha set' changes it on both.\n\
         pair_id = {pair_id}\nenabled = false\n\n[ha_link]\ninterface = {interface:?}\n"
    )
}

/// Writes what was agreed on below `root`; `name` is the node's, if it has none yet.
///
/// # Errors
/// In words; the node is not paired then.
pub fn keep(root: &Path, name: &str, agreed: &Agreed) -> Result<(), Stop> {
    parse_pair("pair.toml", &agreed.settings)
        .map_err(|errors| Stop::Unusable(errors.to_string()))?;
    let node = node_text(root, name, agreed.designation)?;
    let key_file =
        parse_node(NODE, &node).map_err(|errors| Stop::NotKept(errors.to_string()))?.key_file;
    put_aside(root, &agreed.settings)?;
    let write = |path: &str, text: &str| {
        private::write(&root.join(path), text.as_bytes())
            .map_err(|error| Stop::NotKept(format!("{path}: {error}")))
    };
    write(&key_file, &key_text(&agreed.key))?;
    write(PAIR, &agreed.settings)?;
    write(NODE, &node)?;
    rotate::forget(root).map_err(|error| Stop::NotKept(error.to_string()))?;
    let peer = Peer::of(agreed.peer.clone());
    write_peer(root, &peer).map_err(|error| Stop::NotKept(error.to_string()))
}

/// Other settings than the new ones are kept under another name.
fn put_aside(root: &Path, settings: &str) -> Result<(), Stop> {
    let failed = |path: &str, error: io::Error| Stop::NotKept(format!("{path}: {error}"));
    match fs::read(root.join(PAIR)) {
        Ok(old) if old != settings.as_bytes() => {
            private::write(&root.join(BEFORE), &old).map_err(|error| failed(BEFORE, error))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(PAIR, error)),
    }
}

/// The text of node.toml with this designation; comments and all else stay.
fn node_text(root: &Path, name: &str, designation: Designation) -> Result<String, Stop> {
    let word = designation.word();
    let text = match fs::read_to_string(root.join(NODE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(format!("name = {name:?}\ndesignation = \"{word}\"\n"));
        }
        Err(error) => return Err(Stop::NotKept(format!("{NODE}: {error}"))),
    };
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| Stop::NotKept(format!("{NODE}: {error}")))?;
    let mut designation = value(word);
    let old = document.get("designation").and_then(|old| old.as_value());
    if let (Some(old), Some(new)) = (old, designation.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    document["designation"] = designation;
    Ok(document.to_string())
}

/// Forgets the peer and the key that both had: nobody who has them comes in any more.
///
/// # Errors
/// When the disk does not take it.
pub fn forget(root: &Path) -> io::Result<()> {
    remove_peer(root)?;
    rotate::forget(root)?;
    let key = files::key_file(root).unwrap_or_else(|_| root.join(default_key_file()));
    private::remove(&key)
}

/// This node's card.
pub fn card(node: &str, certificate: &Certificate) -> Card {
    Card { node: node.to_owned(), certificate: certificate_pem(certificate) }
}

/// Takes the other node's card, for a pairing without an operator: the heartbeats' key and
/// the settings come by files as well.
///
/// # Errors
/// What is wrong with it.
pub fn import(root: &Path, own: &Certificate, card: &Card) -> Result<(), String> {
    let none = || "the card holds no certificate; make it with 'twinwall pair export'".to_owned();
    let peer = Certificate::from_pem(&card.certificate).map_err(|_| none())?;
    if peer == *own {
        return Err("this is this node's own card; import the other node's".to_owned());
    }
    rotate::forget(root).map_err(|error| error.to_string())?;
    write_peer(root, &Peer::of(peer)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::identity::Identity;
    use crate::agent::identity::peer::read_peer;
    use zeroize::Zeroizing;

    #[test]
    fn what_was_agreed_is_kept_and_comments_and_old_settings_stay() {
        let root = std::env::temp_dir().join(format!("twinwall-keep-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/twinwall")).expect("made");
        let node = "# mine\nname = \"gw\"\ndesignation = \"primary\" # for now\n";
        fs::write(root.join(NODE), node).expect("written");
        fs::write(root.join(PAIR), "# of an earlier pair\n").expect("written");
        let peer = Identity::generate().expect("an identity").certificate().clone();
        let agreed = Agreed {
            peer: peer.clone(),
            name: "gw-a".to_owned(),
            designation: Designation::Secondary,
            settings: first_settings(7, "ha0"),
            key: Zeroizing::new(std::array::from_fn(|at| at as u8)),
        };
        keep(&root, "other", &agreed).expect("kept");
        let text = |path: &str| fs::read_to_string(root.join(path)).expect("a file");
        assert_eq!(text(NODE), node.replace("primary", "secondary"));
        assert_eq!(text(BEFORE), "# of an earlier pair\n");
        assert_eq!(read_peer(&root).expect("read"), Some(Peer::of(peer)));
        assert!(files::read_settings(&root).problems.is_empty());

        forget(&root).expect("forgotten");
        assert_eq!(read_peer(&root).expect("read"), None);
        assert!(!root.join(default_key_file()).exists(), "the key is of no use any more");
        let wrong = Agreed { settings: "pair_id = 0\n".to_owned(), ..agreed };
        assert!(matches!(keep(&root, "gw", &wrong), Err(Stop::Unusable(_))));
        assert_eq!(read_peer(&root).expect("read"), None, "nothing of it was kept");
        fs::remove_dir_all(root).expect("removed");
    }
}

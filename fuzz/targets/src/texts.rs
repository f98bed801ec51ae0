//! The decoders of text: the settings files, the key file, and the lines of the
//! guard's socket.

use serde::Serialize;
use serde::de::DeserializeOwned;
use twinwall::agent::profile::parse_profile;
use twinwall_core::api::{Answer, Input, MAX_LINE, Request};
use twinwall_core::config::{self, Errors, MAX_PROBLEMS};

/// `pair.toml`. What is accepted must be usable without a panic.
pub fn config_pair(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::parse_pair("pair.toml", &text) {
        Ok(pair) => {
            assert!(pair.lease() < pair.detection());
            assert!(pair.change(&pair).is_empty(), "a pair differs from itself");
            assert_eq!(pair.digest(), pair.clone().digest());
        }
        Err(errors) => assert_helpful(&errors),
    }
}

/// `node.toml`.
pub fn config_node(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::parse_node("node.toml", &text) {
        Ok(node) => assert!(!node.name.is_empty()),
        Err(errors) => assert_helpful(&errors),
    }
}

/// `profile.toml`.
pub fn config_profile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(errors) = parse_profile("profile.toml", &text) {
        assert_helpful(&errors);
    }
}

/// The key file. An accepted key written again is the same key.
pub fn config_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::parse_key("pair.key", &text) {
        Ok(file) => assert_eq!(config::parse_key("pair.key", &file.text()), Ok(file)),
        Err(errors) => assert_helpful(&errors),
    }
}

/// A line of the guard's socket: what a client asks, what the guard answers, and
/// a line of a recording. An accepted line written again means the same.
pub fn api_line(data: &[u8]) {
    if data.len() <= MAX_LINE {
        assert_same_again::<Request>(data);
    }
    assert_same_again::<Answer>(data);
    assert_same_again::<Input>(data);
}

fn assert_helpful(errors: &Errors) {
    let text = errors.to_string();
    assert!(!text.is_empty());
    assert!(text.lines().count() <= MAX_PROBLEMS + 1, "too many problems at once");
}

fn assert_same_again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(data) {
        let line = serde_json::to_string(&value).expect("what was read can be written");
        let again: T = serde_json::from_str(&line).expect("what was written can be read");
        assert_eq!(again, value);
    }
}

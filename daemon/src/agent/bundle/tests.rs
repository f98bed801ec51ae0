//! What is hidden, and what an archive holds.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use super::*;
use crate::agent::alerts::secret;

fn scrub(secrets: &[&str]) -> Scrub {
    Scrub::from(secrets.iter().map(|it| it.as_bytes().to_vec()).collect::<BTreeSet<_>>())
}

#[test]
fn what_is_a_secret_here_or_is_written_like_one_is_hidden_and_nothing_else() {
    let scrub =
        scrub(&["s3cret-of-the-pair", "abc", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"]);
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----";
    for (text, wanted) in [
        ("x s3cret-of-the-pair y", "x ****** y"),
        ("hash '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA'", "hash '******'"),
        ("abc stays in abcd", "abc stays in abcd"),
        ("password = \"hunter2\"\nname = \"gw-a\"", "password = \"******\"\nname = \"gw-a\""),
        ("\"psk\": \"x y\", \"role\": \"active\"", "\"psk\": \"****** y\", \"role\": \"active\""),
        (&format!("a {pem} b"), "a ****** b"),
        ("key_file = \"etc/twinwall/key\"", "key_file = \"etc/twinwall/key\""),
    ] {
        assert_eq!(String::from_utf8_lossy(&scrub.hide(text.as_bytes())), wanted, "{text}");
    }
}

#[test]
fn the_secret_of_an_alert_target_is_hidden_in_every_form() {
    let root = std::env::temp_dir().join(format!("twinwall-bundle-{}", std::process::id()));
    secret::set(&root, "noc", "T0/B\"1/x").expect("kept");
    secret::set(&root, "pin", "1234").expect("kept");
    std::fs::write(root.join(secret::FOLDER).join("ca.pem"), "not a secret").expect("written");
    let scrub = Scrub::from(scrub::of_alerts(&root).into_iter().collect());
    std::fs::remove_dir_all(&root).expect("removed");
    for (text, wanted) in [
        ("404: /services/T0/B\"1/x", "404: /services/******"),
        ("{\"why\":\"/T0/B\\\"1/x\"}", "{\"why\":\"/******\"}"),
        ("/T0%2FB%221%2Fx", "/******"),
        ("VDAvQiIxL3g=", "******="),
        ("1234 is not a secret", "1234 is not a secret"),
    ] {
        assert_eq!(String::from_utf8_lossy(&scrub.hide(text.as_bytes())), wanted, "{text}");
    }
}

#[test]
fn every_unit_of_the_package_has_its_lines_in_the_bundle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let names = std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("one").path());
    let mut units: Vec<String> = names
        .filter(|path| path.extension().is_some_and(|it| it == "service"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    units.sort();
    let mut told = commands::UNITS.map(str::to_owned).to_vec();
    told.sort();
    assert_eq!(told, units);
}

#[test]
fn a_bundle_is_a_folder_of_bounded_parts() {
    let parts = vec![
        Part::new("small.txt", "it knows hunter22hunter22"),
        Part::new("long.txt", vec![b'x'; 3 * MAX_PART]),
    ];
    // Some more than there is room for.
    let many = (0..MAX_ALL / MAX_PART + 3)
        .map(|at| Part::new(&format!("more/{at}.txt"), vec![b'y'; MAX_PART]));
    let bundle = pack("gw a/b", parts.into_iter().chain(many).collect(), &scrub(&["hunter22"]));
    let bundle = bundle.expect("packed");
    assert!(bundle.name.starts_with("twinwall-gw-a-b-") && bundle.name.ends_with(".tar.gz"));
    assert!(bundle.bytes.len() < 1 << 20, "{}", bundle.bytes.len());
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bundle.bytes.as_slice()));
    let (mut names, mut all, mut text) = (Vec::new(), 0, String::new());
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("a file");
        names.push(entry.path().expect("a name").to_string_lossy().into_owned());
        all += entry.size();
        if names.last().is_some_and(|name| name.ends_with("/small.txt")) {
            entry.read_to_string(&mut text).expect("text");
        }
    }
    let folder = bundle.name.trim_end_matches(".tar.gz");
    assert!(names.iter().all(|name| name.starts_with(folder)), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("/left-out.txt")), "{names:?}");
    assert!(all < MAX_ALL as u64 + (64 << 10), "{all}");
    assert_eq!(text, "it knows ************");
}

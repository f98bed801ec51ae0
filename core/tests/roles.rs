//! The role machine, pair by pair: every (role, input), what follows, and whether
//! the role after it may hold VIPs. The table is committed; `UPDATE_TRANSCRIPTS=1`
//! rewrites it.
#![allow(clippy::disallowed_methods, reason = "a test reads its file and its flag")]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use twinwall_core::beat::RoleWord;
use twinwall_core::role::{INPUTS, Input, ROLES, may_hold_addresses, next};

fn table() -> String {
    let mut text = String::from("role       input         role after  VIPs\n");
    for role in ROLES {
        for input in INPUTS {
            let after = next(role, input);
            let holds = if may_hold_addresses(after) { "may hold" } else { "none" };
            let after = if after == role { "." } else { after.word() };
            let input = format!("{input:?}");
            writeln!(text, "{:<10} {input:<13} {after:<11} {holds}", role.word())
                .expect("a string takes all");
        }
    }
    text
}

#[test]
fn the_table_is_the_committed_one() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/role_table.txt");
    let now = table();
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&file, &now).expect("the table can be written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(committed, now, "UPDATE_TRANSCRIPTS=1 rewrites tests/role_table.txt");
}

#[test]
fn every_role_and_input_is_listed_once() {
    let pairs: Vec<(RoleWord, Input)> =
        ROLES.iter().flat_map(|role| INPUTS.iter().map(move |input| (*role, *input))).collect();
    for (index, pair) in pairs.iter().enumerate() {
        assert!(!pairs[..index].contains(pair), "{pair:?} twice");
    }
    for role in ROLES {
        let named = match role {
            RoleWord::Starting
            | RoleWord::Passive
            | RoleWord::Claiming
            | RoleWord::Active
            | RoleWord::Releasing => true,
        };
        assert!(named);
    }
}

#[test]
fn nobody_serves_without_a_claim() {
    for role in ROLES {
        for input in INPUTS {
            let after = next(role, input);
            assert!(
                after != RoleWord::Active || matches!(role, RoleWord::Claiming | RoleWord::Active),
                "{role:?} {input:?}"
            );
            assert!(
                after != RoleWord::Releasing
                    || matches!(role, RoleWord::Active | RoleWord::Releasing),
                "{role:?} {input:?}"
            );
            assert!(
                after != RoleWord::Starting || role == RoleWord::Starting,
                "{role:?} {input:?}"
            );
        }
    }
}

#[test]
fn yield_always_ends_the_right_to_serve() {
    for role in ROLES {
        assert!(!may_hold_addresses(next(role, Input::Yield)), "{role:?}");
    }
}

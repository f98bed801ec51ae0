//! The options of `twinwall-guard`, as a person or a packaging script tries them.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::process::{Command, Output};

fn guard(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output: Output =
        Command::new(env!("CARGO_BIN_EXE_twinwall-guard")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_and_version_go_to_standard_output_and_succeed() {
    for flag in ["--help", "-h"] {
        let (code, out, err) = guard(&[flag]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        for option in ["--root DIR", "--clear", "--help", "--version"] {
            assert!(out.contains(option), "{out}");
        }
    }
    let version = concat!("twinwall-guard ", env!("CARGO_PKG_VERSION"), "\n");
    for flag in ["--version", "-V"] {
        assert_eq!(guard(&[flag]), (Some(0), version.to_owned(), String::new()));
    }
}

#[test]
fn a_wrong_option_is_named_and_exits_with_2() {
    let help = "'twinwall-guard --help' lists the options\n";
    let wrong =
        [(&["--frob"][..], "--frob: not an option"), (&["--root"], "--root: name a directory")];
    for (arguments, what) in wrong {
        let (code, out, err) = guard(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(
            err.starts_with(&format!("twinwall-guard: {what}")) && err.ends_with(help),
            "{err}"
        );
    }
}

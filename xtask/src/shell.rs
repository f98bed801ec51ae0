//! Starts other programs in the foreground and waits for them. Called by every
//! command of xtask. It never gives a child our stdin, so nothing can wait for a
//! key that nobody presses; only [`replace`] does, for the interactive lab.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome, fail};

/// Where administrators' programs live that an ordinary PATH may lack.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The folder of the workspace: the parent of xtask's own, as cargo tells it, or
/// the nearest one above the current folder that holds a workspace.
pub(crate) fn root() -> Result<PathBuf, Failure> {
    if let Some(manifest) = env::var_os("CARGO_MANIFEST_DIR")
        && let Some(parent) = Path::new(&manifest).parent()
        && parent.join("xtask").is_dir()
    {
        return Ok(parent.to_path_buf());
    }
    let here = env::current_dir().map_err(|e| Failure(format!("current folder: {e}")))?;
    here.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| {
            Failure(format!(
                "{}: not inside the repository; go to its folder and run `cargo xtask` again",
                here.display()
            ))
        })
}

/// A cargo command in the workspace's folder, by the cargo that started us.
pub(crate) fn cargo<S: AsRef<str>>(root: &Path, arguments: &[S]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root).args(arguments.iter().map(AsRef::as_ref));
    command
}

/// Says what it runs, runs it without stdin, and fails when it fails.
pub(crate) fn run(mut command: Command) -> Outcome {
    let shown = show(&command);
    eprintln!("  $ {shown}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| Failure(format!("`{shown}` could not be started: {e}")))?;
    if status.success() {
        Ok(())
    } else {
        fail!("`{shown}` failed ({status}); its own words are above")
    }
}

/// Becomes the other program, terminal and all. Returns only on failure.
pub(crate) fn replace(mut command: Command) -> Outcome {
    let shown = show(&command);
    let error = command.exec();
    fail!("`{shown}` could not be started: {error}")
}

/// Standard output of a program that must succeed.
pub(crate) fn output_of(mut command: Command) -> Result<String, Failure> {
    let shown = show(&command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Failure(format!("`{shown}` could not be started: {e}")))?;
    if !output.status.success() {
        return fail!("`{shown}` failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it, the program by its bare name.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let mut shown = name.into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

/// Where a program is, looking into PATH and the administrators' folders.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| executable(candidate))
}

fn executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1))
        == Some("0")
}

/// Cargo's target folder, whatever the environment and its settings say.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf, Failure> {
    let metadata =
        output_of(cargo(root, &["metadata", "--no-deps", "--offline", "--format-version", "1"]))?;
    metadata
        .split_once("\"target_directory\":\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(folder, _)| PathBuf::from(folder))
        .ok_or_else(|| Failure("`cargo metadata` names no target folder".to_owned()))
}

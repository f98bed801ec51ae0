//! `cargo xtask package`: the Debian package, made of the two programs, what they
//! write about themselves, and the files under packaging/. Called by people who
//! install it and by `machines`, which tests it. It never installs anything.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome, fail};
use crate::{machines, shell};

/// Below cargo's target folder.
const FOLDER: &str = "package";
const PROGRAMS: [&str; 2] = ["twinwall", "twinwall-guard"];
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// Folders that are there before anything is in them, with their modes.
const EMPTY: [(&str, u32); 3] =
    [("etc/twinwall", 0o750), ("etc/twinwall-web", 0o750), ("var/lib/twinwall", 0o700)];
/// Files of the checkout and where they go.
const FILES: [(&str, &str); 18] = [
    ("packaging/systemd/twinwall-guard.service", "lib/systemd/system"),
    ("packaging/systemd/twinwall-agent.service", "lib/systemd/system"),
    ("packaging/systemd/twinwall-recover.service", "lib/systemd/system"),
    ("packaging/systemd/twinwall-web.service", "lib/systemd/system"),
    ("packaging/systemd/twinwall-snmp.service", "lib/systemd/system"),
    ("packaging/mibs/TWINWALL-MIB.txt", "usr/share/snmp/mibs"),
    ("packaging/tmpfiles.d/twinwall.conf", "usr/lib/tmpfiles.d"),
    ("packaging/profiles/debian.toml", "usr/share/twinwall/profiles"),
    ("packaging/prometheus/twinwall.rules.yml", "usr/share/twinwall/prometheus"),
    ("packaging/grafana/twinwall.json", "usr/share/twinwall/grafana"),
    ("packaging/debian/copyright", "usr/share/doc/twinwall"),
    ("docs/guide.md", "usr/share/doc/twinwall"),
    ("docs/configuration.md", "usr/share/doc/twinwall"),
    ("docs/console.md", "usr/share/doc/twinwall"),
    ("docs/alerts.md", "usr/share/doc/twinwall"),
    ("docs/metrics.md", "usr/share/doc/twinwall"),
    ("docs/install.md", "usr/share/doc/twinwall"),
    ("docs/snmp.md", "usr/share/doc/twinwall"),
];
/// What systemd runs at boot.
const GENERATOR: (&str, &str) =
    ("packaging/systemd/system-generators/twinwall", "usr/lib/systemd/system-generators");
/// A shell, and where Debian looks for its completions.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/twinwall"),
    ("zsh", "usr/share/zsh/vendor-completions/_twinwall"),
    ("fish", "usr/share/fish/vendor_completions.d/twinwall.fish"),
];

/// Builds the package and prints where it is.
pub(crate) fn package(root: &Path, arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return fail!("package: takes no arguments");
    }
    println!("{}", build(root, Build::ForUse)?.display());
    Ok(())
}

/// How the package is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Optimised and compressed.
    ForUse,
    /// Quickly, of the programs that the tests have built anyway.
    ForTests,
}

impl Build {
    /// cargo's name of the programs' folder.
    fn folder(self) -> &'static str {
        match self {
            Build::ForUse => "release",
            Build::ForTests => "debug",
        }
    }

    /// Builds the programs. Each by itself for use: what only the other needs of a common
    /// dependency must not get into the guard.
    fn cargo(self, root: &Path) -> Outcome {
        match self {
            Build::ForUse => PROGRAMS.iter().try_for_each(|program| {
                shell::run(shell::cargo(root, &["build", "--locked", "--release", "-p", program]))
            }),
            // As the tests are, so that nothing is built twice.
            Build::ForTests => {
                let all = ["build", "--locked", "--workspace", "--features", machines::FEATURE];
                shell::run(shell::cargo(root, &all))
            }
        }
    }

    fn compression(self) -> &'static str {
        match self {
            Build::ForUse => "-Zxz",
            Build::ForTests => "-Znone",
        }
    }
}

/// Builds the package; its path.
pub(crate) fn build(root: &Path, how: Build) -> Result<PathBuf, Failure> {
    if shell::find("dpkg-deb").is_none() {
        return fail!("package: dpkg-deb is missing; it is part of every Debian");
    }
    how.cargo(root)?;
    let target = shell::target_folder(root)?;
    let (programs, folder) = (target.join(how.folder()), target.join(FOLDER).join(how.folder()));
    let stage = Stage::fresh(folder.join("twinwall"))?;
    for program in PROGRAMS {
        stage.install(&programs.join(program), "usr/sbin", 0o755)?;
        let mut strip = Command::new("strip");
        strip.arg(stage.0.join("usr/sbin").join(program));
        shell::run(strip)?;
    }
    for (file, folder) in FILES {
        stage.install(&root.join(file), folder, 0o644)?;
    }
    stage.install(&root.join(GENERATOR.0), GENERATOR.1, 0o755)?;
    for (folder, mode) in EMPTY {
        stage.folder(folder)?;
        set_mode(&stage.0.join(folder), mode)?;
    }
    stage.own_pages(&programs.join("twinwall"))?;
    stage.changelog(root)?;
    stage.control(root)?;
    let version = env!("CARGO_PKG_VERSION");
    let package = folder.join(format!("twinwall_{version}_{}.deb", architecture()?));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", how.compression(), "--build"]).arg(&stage.0).arg(&package);
    shell::run(build)?;
    Ok(package)
}

/// The folder that becomes the package.
struct Stage(PathBuf);

impl Stage {
    fn fresh(folder: PathBuf) -> Result<Stage, Failure> {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|e| broken(&folder, &e))?;
        }
        let stage = Stage(folder);
        stage.folder("")?;
        Ok(stage)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.0.join(name);
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder);
        made.map_err(|e| broken(&folder, &e))?;
        Ok(folder)
    }

    fn install(&self, file: &Path, folder: &str, mode: u32) -> Outcome {
        let name = file.file_name().unwrap_or_default();
        let place = self.folder(folder)?.join(name);
        fs::copy(file, &place).map_err(|e| broken(file, &e))?;
        set_mode(&place, mode)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> Outcome {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let place = self.folder(folder)?.join(file);
        fs::write(&place, text).map_err(|e| broken(&place, &e))?;
        set_mode(&place, mode)
    }

    /// Man pages and completions, by the program itself.
    fn own_pages(&self, program: &Path) -> Outcome {
        let pages = self.folder("usr/share/man/man1")?;
        let mut man = Command::new(program);
        man.arg("man").arg(&pages);
        shell::run(man)?;
        let entries = fs::read_dir(&pages).map_err(|e| broken(&pages, &e))?;
        for page in entries.flatten() {
            set_mode(&page.path(), 0o644)?;
            compress(&page.path())?;
        }
        for (language, place) in COMPLETIONS {
            let mut completions = Command::new(program);
            completions.args(["completions", language]);
            self.write(place, &shell::output_of(completions)?, 0o644)?;
        }
        Ok(())
    }

    fn changelog(&self, root: &Path) -> Outcome {
        let file = root.join("CHANGELOG.md");
        let text = fs::read_to_string(&file).map_err(|e| broken(&file, &e))?;
        let place = "usr/share/doc/twinwall/CHANGELOG.md";
        self.write(place, &text, 0o644)?;
        compress(&self.0.join(place))
    }

    /// What dpkg reads: the control file, the scripts, the checksums.
    fn control(&self, root: &Path) -> Outcome {
        let sources = root.join("packaging/debian");
        let file = sources.join("control");
        let form = fs::read_to_string(&file).map_err(|e| broken(&file, &e))?;
        let control = form
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@ARCHITECTURE@", &architecture()?)
            .replace("@KIBIBYTES@", &self.kibibytes()?)
            .replace("@LIBC@", &self.libc()?);
        if let Some(line) = control.lines().find(|line| line.contains('@') && !line.contains('<')) {
            return fail!("{}: nothing is known for `{line}`", file.display());
        }
        let sums = self.checksums()?;
        self.write("DEBIAN/control", &control, 0o644)?;
        self.write("DEBIAN/md5sums", &sums, 0o644)?;
        for script in SCRIPTS {
            self.install(&sources.join(script), "DEBIAN", 0o755)?;
        }
        Ok(())
    }

    fn kibibytes(&self) -> Result<String, Failure> {
        let mut size = Command::new("du");
        size.args(["-sk", "--apparent-size"]).arg(&self.0);
        let text = shell::output_of(size)?;
        Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// The oldest C library that has every function that the programs use.
    fn libc(&self) -> Result<String, Failure> {
        let mut newest = (0, 0);
        for program in PROGRAMS {
            let file = self.0.join("usr/sbin").join(program);
            newest = newest.max(libc_version(&fs::read(&file).map_err(|e| broken(&file, &e))?));
        }
        if newest == (0, 0) {
            return fail!("package: the programs name no version of the C library");
        }
        Ok(format!("{}.{}", newest.0, newest.1))
    }

    fn checksums(&self) -> Result<String, Failure> {
        let mut sums = Command::new("sh");
        let line =
            "find . -type f ! -path './DEBIAN/*' -printf '%P\\n' | LC_ALL=C sort | xargs md5sum";
        sums.current_dir(&self.0).args(["-c", line]);
        shell::output_of(sums)
    }
}

/// The newest `GLIBC_x.y` among the names of a program's symbols; 0.0 without one.
fn libc_version(program: &[u8]) -> (u32, u32) {
    const MARK: &[u8] = b"\0GLIBC_";
    let number = |text: &str| text.parse::<u32>().ok();
    program
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK)
        .filter_map(|(at, _)| {
            let rest = &program[at + MARK.len()..];
            let end = rest.iter().position(|byte| *byte == 0)?;
            let (major, minor) = std::str::from_utf8(&rest[..end]).ok()?.split_once('.')?;
            Some((number(major)?, number(minor.split('.').next()?)?))
        })
        .max()
        .unwrap_or_default()
}

/// Debian's name for this machine's processor.
fn architecture() -> Result<String, Failure> {
    let mut ask = Command::new("dpkg");
    ask.arg("--print-architecture");
    Ok(shell::output_of(ask)?.trim().to_owned())
}

fn compress(file: &Path) -> Outcome {
    let mut gzip = Command::new("gzip");
    gzip.args(["-9n", "--force"]).arg(file).stdout(Stdio::null());
    let status = gzip.status().map_err(|e| broken(file, &e))?;
    if status.success() { Ok(()) } else { fail!("`{}` failed ({status})", shell::show(&gzip)) }
}

fn set_mode(file: &Path, mode: u32) -> Outcome {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).map_err(|e| broken(file, &e))
}

fn broken(file: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("package: {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_c_library_that_a_program_needs_is_found() {
        let program = b"\x7fELF\0GLIBC_2.2.5\0write\0GLIBC_2.34\0GLIBC_2.4\0GLIBC_PRIVATE\0";
        assert_eq!(libc_version(program), (2, 34));
        assert_eq!(libc_version(b"nothing"), (0, 0));
    }
}

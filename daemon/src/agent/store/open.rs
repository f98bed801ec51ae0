//! Reading the store from the disk at the start: what is whole is taken, what a
//! broken-off write left is removed, what is damaged is put aside.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::pack::{self, BadPack};
use super::{Damage, Inside, MAX_VERSION, Section, StoreError, Version, disk, version_name};
use crate::agent::exclusive::exclusive;

impl Inside {
    pub(super) fn read_packs(
        &mut self,
        folder: &Path,
        damage: &mut Vec<Damage>,
    ) -> Result<(), StoreError> {
        for path in list(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".tmp") {
                fs::remove_file(&path).map_err(disk("removing", &path))?;
                continue;
            }
            let number = name.strip_suffix(".pack").and_then(|it| u64::from_str_radix(it, 16).ok());
            let Some(number) = number else { continue };
            self.next_pack = self.next_pack.max(number + 1);
            match pack::read_index(&path) {
                Ok(index) => {
                    for (digest, place) in index {
                        self.contents.entry(digest).or_insert((number, place));
                    }
                }
                Err(BadPack::Io(error)) => return Err(disk("reading", &path)(error)),
                Err(BadPack::Damaged) => {
                    damage.push(put_aside(&path, "the contents of this pack")?);
                }
            }
        }
        Ok(())
    }

    pub(super) fn read_versions(
        &mut self,
        folder: &Path,
        section: Section,
        damage: &mut Vec<Damage>,
    ) -> Result<(), StoreError> {
        let folder = folder.join(section.id());
        fs::create_dir_all(&folder).map_err(disk("making", &folder))?;
        for path in list(&folder)? {
            match path.extension().and_then(|it| it.to_str()) {
                Some("tmp") => fs::remove_file(&path).map_err(disk("removing", &path))?,
                Some("json") => {
                    let version = read_version(&path)?.filter(|found| found.section == section);
                    let versions = self.versions.entry(section).or_default();
                    match version {
                        Some(version) => drop(versions.insert(version.number, version)),
                        None => damage.push(put_aside(&path, "this version")?),
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_version(path: &Path) -> Result<Option<Version>, StoreError> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(disk("reading", path))?;
    file.take(MAX_VERSION).read_to_end(&mut text).map_err(disk("reading", path))?;
    let version: Option<Version> = serde_json::from_slice(&text).ok();
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    Ok(version.filter(|version| version_name(version.number) == name))
}

fn put_aside(path: &Path, what: &str) -> Result<Damage, StoreError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let aside = PathBuf::from(aside);
    fs::rename(path, &aside).map_err(disk("putting aside", path))?;
    Ok(Damage { path: aside, what: what.to_owned() })
}

pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(disk("opening", &path))?;
    match exclusive(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(StoreError::Busy(directory.to_owned())),
        Err(error) => Err(disk("locking", &path)(error.into())),
    }
}

pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut paths = entries.map_err(disk("reading", folder))?;
    paths.sort();
    Ok(paths)
}

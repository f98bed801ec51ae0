//! What is in a log file, plain or packed: is it what was read before, and what comes after
//! that place. For files that were rotated; those that are being written are read by `tracked`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::print::{ENDLESS, FileId, HEAD, HowFar, PRINT};
use crate::agent::plain::{self, Links};

/// Unpacked bytes of one file that are looked at, at the most: what packs to a few kilobytes
/// could be endless.
const MAX_UNPACKED: u64 = 4 << 30;

/// How names of packed files end that can be read here.
const READABLE: [&[u8]; 2] = [b".gz", b".zst"];
/// And of those that cannot.
const OTHERS: [&[u8]; 4] = [b".xz", b".bz2", b".lz4", b".lzma"];

/// Whether a file at this path is packed, by its name.
pub(super) fn is_packed_path(path: &Path) -> bool {
    is_packed(path.as_os_str().as_encoded_bytes())
}

/// Whether a file of this name is packed.
pub(super) fn is_packed(name: &[u8]) -> bool {
    READABLE.iter().chain(&OTHERS).any(|ending| name.ends_with(ending))
}

/// Whether it is packed in a way that is not read here.
pub(super) fn is_unreadable(name: &[u8]) -> bool {
    OTHERS.iter().any(|ending| name.ends_with(ending))
}

/// What is in the file that was seen at this path from this place on.
///
/// # Errors
/// The disk's, or that it cannot be unpacked; as [`open_seen`].
pub(super) fn open_at(path: &Path, id: FileId, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    let name = path.as_os_str().as_encoded_bytes();
    let mut file = open_seen(path, id)?;
    if !is_packed(name) {
        io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
        return Ok(Box::new(file));
    }
    let mut unpacked = unpack(file, name)?;
    io::copy(&mut (&mut unpacked).take(offset), &mut io::sink())?;
    Ok(unpacked)
}

fn unpack(file: File, name: &[u8]) -> io::Result<Box<dyn Read + Send>> {
    if name.ends_with(b".gz") {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(file).take(MAX_UNPACKED)));
    }
    if name.ends_with(b".zst") {
        return Ok(Box::new(zstd::stream::read::Decoder::new(file)?.take(MAX_UNPACKED)));
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "packed by a program that is not known here"))
}

/// What a file is to what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Another file.
    Nothing,
    /// All that was read, and what comes after it.
    All,
    /// Its beginning only: a copy that was made before the last of it was read.
    Beginning,
}

/// Opens a file that was seen at this path.
///
/// # Errors
/// The disk's; not found, too, where another file is there now.
pub(super) fn open_seen(path: &Path, id: FileId) -> io::Result<File> {
    let file = open_log(path)?;
    match FileId::of(&file.metadata()?) == id {
        true => Ok(file),
        false => Err(another()),
    }
}

/// Opens whatever log file is at this path. What is no regular file by now was not seen as a
/// log: links, pipes and devices are passed over.
///
/// # Errors
/// The disk's; not found, too, where something else is there now.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    plain::open(path, Links::Refused)?.ok_or_else(another)
}

fn another() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "another file is there now")
}

/// What the file that was seen at this path is to what was read.
///
/// # Errors
/// The disk's, or that it cannot be unpacked; as [`open_seen`].
pub(super) fn holds(path: &Path, id: FileId, how_far: &HowFar) -> io::Result<Holds> {
    let name = path.as_os_str().as_encoded_bytes();
    // A hole only, or a file that cannot be read: nothing can be compared.
    let is_blank = how_far.head.length() + how_far.tail.length() == 0;
    if is_unreadable(name) || is_blank {
        return Ok(Holds::Nothing);
    }
    let file = open_seen(path, id)?;
    if !is_packed(name) {
        return is_held(&file, how_far);
    }
    let mut unpacked = unpack(file, name)?;
    let mut head = Vec::new();
    (&mut unpacked).take(how_far.head.length() as u64).read_to_end(&mut head)?;
    if !how_far.head.is_like(&head) {
        return Ok(Holds::Nothing);
    }
    if how_far.offset == ENDLESS || head.len() < how_far.head.length() {
        return Ok(Holds::Beginning);
    }
    // The last bytes before the place, of which the first ones may be some.
    let mut tail = head;
    let ahead = how_far.tail_at().saturating_sub(tail.len() as u64);
    let passed = io::copy(&mut (&mut unpacked).take(ahead), &mut io::sink())?;
    let place = tail.len() as u64 + passed;
    let more = (&mut unpacked).take(how_far.offset - place).read_to_end(&mut tail)?;
    if place + (more as u64) < how_far.offset {
        return Ok(beginning(how_far));
    }
    let from = tail.len() - how_far.tail.length();
    let held = how_far.tail.is_of(&tail[from..]);
    Ok(if held { Holds::All } else { Holds::Nothing })
}

/// A file that is too short for what was read, and begins as it.
fn beginning(how_far: &HowFar) -> Holds {
    if how_far.head.length() > 0 { Holds::Beginning } else { Holds::Nothing }
}

/// What a plain file is to what was read.
pub(super) fn is_held(file: &File, how_far: &HowFar) -> io::Result<Holds> {
    let mut bytes = [0; PRINT];
    let wanted = how_far.head.length();
    let length = file.read_at(&mut bytes[..wanted], 0)?;
    if !how_far.head.is_like(&bytes[..length]) {
        return Ok(Holds::Nothing);
    }
    if how_far.offset == ENDLESS || length < wanted {
        return Ok(Holds::Beginning);
    }
    let tail = &mut bytes[..how_far.tail.length()];
    if !read_at(file, tail, how_far.tail_at())? {
        return Ok(beginning(how_far));
    }
    Ok(if how_far.tail.is_of(tail) { Holds::All } else { Holds::Nothing })
}

/// Whether a plain file begins with all that is in another one, which has something in it: that
/// one is a copy, and this one was not cut off yet.
///
/// # Errors
/// The disk's.
pub(super) fn is_copy_of(copy: &File, live: &File) -> io::Result<bool> {
    let length = copy.metadata()?.len();
    let ends = [0, length.saturating_sub(PRINT as u64)];
    let (mut one, mut other) = ([0; PRINT], [0; PRINT]);
    for at in ends {
        let part = usize::try_from(length - at).unwrap_or(PRINT).min(PRINT);
        let (one, other) = (&mut one[..part], &mut other[..part]);
        if !read_at(copy, one, at)? || !read_at(live, other, at)? || one != other {
            return Ok(false);
        }
    }
    Ok(length > 0)
}

/// What of a packed or plain file was not looked at yet: its first bytes, as far as it has them.
///
/// # Errors
/// As [`holds`].
pub(super) fn first_bytes(path: &Path, id: FileId) -> io::Result<Vec<u8>> {
    let name = path.as_os_str().as_encoded_bytes();
    let file = open_seen(path, id)?;
    let mut first = Vec::new();
    match is_packed(name) {
        true => unpack(file, name)?.take(HEAD as u64).read_to_end(&mut first)?,
        false => file.take(HEAD as u64).read_to_end(&mut first)?,
    };
    Ok(first)
}

/// False where the file ends before.
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(bytes, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::super::locate::{Beside, beside};
    use super::*;

    fn read(text: &[u8], offset: usize) -> HowFar {
        let mut how_far = HowFar::default();
        how_far.pass(&text[..offset]);
        how_far
    }

    fn file(path: &Path) -> (File, FileId) {
        let file = File::open(path).expect("opened");
        let id = FileId::of(&file.metadata().expect("seen"));
        (file, id)
    }

    #[test]
    fn a_packed_file_is_known_by_what_was_read_of_it_and_gives_the_rest() {
        let root = std::env::temp_dir().join(format!("twinwall-packed-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("made");
        let text: Vec<u8> = (0..2000).flat_map(|it| format!("line {it}\n").into_bytes()).collect();
        let plain = root.join("log.1");
        std::fs::write(&plain, &text).expect("written");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&text).expect("packed");
        std::fs::write(root.join("log.2.gz"), gz.finish().expect("packed")).expect("written");
        let zst = zstd::bulk::compress(&text, 1).expect("packed");
        std::fs::write(root.join("log.3.zst"), zst).expect("written");
        let longer = [&text[..], b"more of it\n"].concat();
        let mut changed = text.clone();
        changed[8990] = b'x';
        let endless = HowFar { offset: ENDLESS, tail: Default::default(), ..read(&text, 100) };
        let wanted = [
            (read(&text, 9000), Holds::All),
            (read(&text, 10), Holds::All),
            (read(&text, 70), Holds::All),
            (read(&text, 129), Holds::All),
            (read(&text, text.len()), Holds::All),
            (read(&changed, 9000), Holds::Nothing),
            (read(&text.to_ascii_uppercase(), 9000), Holds::Nothing),
            (read(&longer, longer.len()), Holds::Beginning),
            (read(&text[..20], 20), Holds::All),
            (endless, Holds::Beginning),
            (HowFar::default(), Holds::Nothing),
        ];
        std::fs::write(root.join("short"), &text[..20]).expect("written");
        let (_, id) = file(&root.join("short"));
        let of_more = holds(&root.join("short"), id, &read(&text, 9000)).expect("read");
        assert_eq!(of_more, Holds::Beginning);
        for name in ["log.1", "log.2.gz", "log.3.zst"] {
            let path = root.join(name);
            let (_, id) = file(&path);
            for (how_far, held) in &wanted {
                assert_eq!(holds(&path, id, how_far).expect("read"), *held, "{name} {how_far:?}");
            }
            let other = FileId { inode: id.inode + 1, ..id };
            assert!(holds(&path, other, &wanted[0].0).is_err());
            assert_eq!(first_bytes(&path, id).expect("read"), text[..HEAD]);
            let mut rest = Vec::new();
            let mut opened = open_at(&path, id, 9000).expect("opened");
            opened.read_to_end(&mut rest).expect("read");
            assert!(rest == text[9000..], "{name}");
            assert!(open_at(&path, other, 9000).is_err());
        }
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_log_that_became_a_pipe_is_another_file_at_once() {
        let root = std::env::temp_dir().join(format!("twinwall-pipe-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("made");
        for name in ["log", "log.1.gz"] {
            let path = root.join(name);
            std::fs::write(&path, "line\n").expect("written");
            let (_, id) = file(&path);
            std::fs::remove_file(&path).expect("removed");
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).expect("made");
            // The file system may have given it the number of the one before.
            let pipe = FileId::of(&std::fs::symlink_metadata(&path).expect("seen"));
            let (copy, base) = (root.join("copy"), path.clone());
            std::fs::write(&copy, "line\n").expect("written");
            let copied = file(&copy).1;
            let beside = plain::at_once(move || beside(&copy, copied, &base));
            assert_eq!(beside.expect("read"), Beside::Other);
            for id in [id, pipe] {
                let (path, how_far) = (path.clone(), read(b"line\n", 5));
                let errors = plain::at_once(move || {
                    [
                        open_seen(&path, id).err(),
                        open_at(&path, id, 0).err(),
                        holds(&path, id, &how_far).err(),
                        first_bytes(&path, id).err(),
                    ]
                });
                for error in errors {
                    let error = error.map(|error| error.kind());
                    assert_eq!(error, Some(io::ErrorKind::NotFound), "{name}");
                }
            }
        }
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_copy_is_known_as_long_as_the_first_one_was_not_cut_off() {
        let root = std::env::temp_dir().join(format!("twinwall-copy-{}", std::process::id()));
        std::fs::create_dir_all(&root).expect("made");
        let text: Vec<u8> = (0..200).flat_map(|it| format!("line {it}\n").into_bytes()).collect();
        let is_copy = |copy: &[u8], live: &[u8]| {
            let (one, other) = (root.join("copy"), root.join("live"));
            std::fs::write(&one, copy).expect("written");
            std::fs::write(&other, live).expect("written");
            is_copy_of(&file(&one).0, &file(&other).0).expect("read")
        };
        assert!(is_copy(&text, &text) && is_copy(&text[..50], &text));
        assert!(!is_copy(b"", &text) && !is_copy(&text, b"") && !is_copy(&text, &text[..500]));
        // The same head before other lines.
        let other = [&text[..200], b"another\n", &text[..]].concat();
        assert!(!is_copy(&text, &other));
        std::fs::remove_dir_all(root).expect("removed");
    }
}

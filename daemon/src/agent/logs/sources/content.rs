//! What is in a log file, plain or packed: is it what was read before, and what comes after
//! that place. For files that were rotated; those that are being written are read by `tracked`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::print::{HowFar, PRINT};

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

/// What is in the file from this place on.
///
/// # Errors
/// The disk's, or that it cannot be unpacked.
pub(super) fn open_at(path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    let name = path.as_os_str().as_encoded_bytes();
    let mut file = File::open(path)?;
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

/// For each of these, whether the file holds what was read: the same bytes before that place.
///
/// # Errors
/// The disk's, or that it cannot be unpacked.
pub(super) fn holds(path: &Path, read: &[&HowFar]) -> io::Result<Vec<bool>> {
    let name = path.as_os_str().as_encoded_bytes();
    let file = File::open(path)?;
    if !is_packed(name) {
        let mut tail = [0; PRINT];
        let one = |how_far: &&HowFar| -> io::Result<bool> {
            let tail = &mut tail[..how_far.print.length()];
            Ok(how_far.offset > 0 && is_at(&file, how_far, tail)?)
        };
        return read.iter().map(one).collect();
    }
    let mut unpacked = unpack(file, name)?;
    let mut order: Vec<usize> = (0..read.len()).filter(|at| read[*at].offset > 0).collect();
    order.sort_unstable_by_key(|at| read[*at].offset);
    let mut held = vec![false; read.len()];
    // The last bytes before `place`.
    let (mut tail, mut place) = (Vec::new(), 0);
    for at in order {
        let how_far = read[at];
        let ahead = how_far.print_at().saturating_sub(place);
        let passed = io::copy(&mut (&mut unpacked).take(ahead), &mut io::sink())?;
        if passed > 0 {
            tail.clear();
        }
        place += passed;
        let more = (&mut unpacked).take(how_far.offset - place).read_to_end(&mut tail)?;
        place += more as u64;
        if place < how_far.offset {
            break;
        }
        let length = how_far.print.length();
        held[at] = how_far.print.is_of(&tail[tail.len().saturating_sub(length)..]);
        tail.drain(..tail.len().saturating_sub(PRINT));
    }
    Ok(held)
}

/// Whether a plain file holds what was read; `tail` has the length of the print.
pub(super) fn is_at(file: &File, how_far: &HowFar, tail: &mut [u8]) -> io::Result<bool> {
    match file.read_exact_at(tail, how_far.print_at()) {
        Ok(()) => Ok(how_far.print.is_of(tail)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::print::Print;
    use super::*;

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
        let at = |offset: usize, of: &[u8]| HowFar {
            offset: offset as u64,
            print: Print::of(&of[..offset]),
            ..HowFar::default()
        };
        let other = text.to_ascii_uppercase();
        let wanted = [
            (at(9000, &text), true),
            (at(10, &text), true),
            (at(70, &text), true),
            (at(9000, &other), false),
            (at(9010, &text), true),
            (at(text.len(), &text), true),
            (HowFar { offset: 99_999, ..at(200, &text) }, false),
            (HowFar::default(), false),
        ];
        let read: Vec<&HowFar> = wanted.iter().map(|(how_far, _)| how_far).collect();
        let truth: Vec<bool> = wanted.iter().map(|(_, held)| *held).collect();
        for name in ["log.1", "log.2.gz", "log.3.zst"] {
            assert_eq!(holds(&root.join(name), &read).expect("read"), truth, "{name}");
            let mut rest = Vec::new();
            let mut opened = open_at(&root.join(name), 9000).expect("opened");
            opened.read_to_end(&mut rest).expect("read");
            assert!(rest == text[9000..], "{name}");
        }
        std::fs::remove_dir_all(root).expect("removed");
    }
}

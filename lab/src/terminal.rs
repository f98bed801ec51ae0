//! The terminal: saved and restored by the outer process (which outlives any
//! death of the inner one), made raw and read key by key by the live view.

use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::time::Duration;

const STDIN: libc::c_int = 0;
const STDOUT: libc::c_int = 1;
/// Leaves the alternate screen and shows the cursor; harmless where neither was done.
const LEAVE: &[u8] = b"\x1b[?1049l\x1b[?25h";
/// Enters the alternate screen, hides the cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";

/// The terminal's settings as they were; none when stdin is no terminal.
pub struct Saved(Option<libc::termios>);

impl Saved {
    /// Reads them.
    pub fn of_stdin() -> Saved {
        let mut now = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: `now` is written by a successful call, and read only then.
        let failed = unsafe { libc::tcgetattr(STDIN, now.as_mut_ptr()) };
        // SAFETY: as above.
        Saved((failed == 0).then(|| unsafe { now.assume_init() }))
    }

    /// Puts them back.
    pub fn restore(&self) {
        let Some(settings) = &self.0 else { return };
        // SAFETY: the settings came from the same terminal.
        unsafe { libc::tcsetattr(STDIN, libc::TCSANOW, settings) };
        if is_terminal(STDOUT) {
            let mut out = io::stdout();
            // Nothing is left to be done for a terminal that takes no bytes.
            let _ = out.write_all(LEAVE).and_then(|()| out.flush());
        }
    }
}

/// Whether a person can watch and press keys.
pub fn is_interactive() -> bool {
    is_terminal(STDIN) && is_terminal(STDOUT)
}

fn is_terminal(fd: libc::c_int) -> bool {
    // SAFETY: a plain query.
    unsafe { libc::isatty(fd) == 1 }
}

/// A raw terminal on the alternate screen, for as long as the value lives.
pub struct Raw(Saved);

impl Raw {
    /// Takes the terminal over.
    pub fn take() -> io::Result<Raw> {
        let saved = Saved::of_stdin();
        let Some(mut settings) = saved.0 else {
            return Err(io::Error::other("stdin is no terminal"));
        };
        settings.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
        // SAFETY: settings of this very terminal, with three flags cleared.
        if unsafe { libc::tcsetattr(STDIN, libc::TCSANOW, &settings) } != 0 {
            return Err(io::Error::last_os_error());
        }
        io::stdout().write_all(ENTER)?;
        Ok(Raw(saved))
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        let mut size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: `size` is valid for writing; on failure it keeps the defaults.
        unsafe { libc::ioctl(STDOUT, libc::TIOCGWINSZ, &mut size) };
        (usize::from(size.ws_col.max(40)), usize::from(size.ws_row.max(10)))
    }

    /// The next key, or none within `wait`.
    pub fn key(&self, wait: Duration) -> Option<u8> {
        let mut poll = libc::pollfd { fd: STDIN, events: libc::POLLIN, revents: 0 };
        let millis = libc::c_int::try_from(wait.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: one valid entry.
        if unsafe { libc::poll(&mut poll, 1, millis) } != 1 {
            return None;
        }
        let mut key = 0_u8;
        // SAFETY: one byte into one byte.
        let read = unsafe { libc::read(STDIN, (&raw mut key).cast(), 1) };
        (read == 1).then_some(key)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.restore();
    }
}

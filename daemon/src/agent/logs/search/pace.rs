//! When a search has to end. The clock is looked at by the work that was done: after some lines,
//! and after some text, since a few long lines with a large expression take as long as many
//! short ones.

use std::fmt;

/// Lines between two looks at the clock.
const LINES: usize = 256;
/// Bytes of their text between two looks, and one line more.
const BYTES: usize = 64 << 10;

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Pace<'c> {
    is_over: &'c dyn Fn() -> bool,
    lines: usize,
    bytes: usize,
}

impl<'c> Pace<'c> {
    /// Ends when `is_over` says so, which is asked now and then.
    pub(super) fn of(is_over: &'c dyn Fn() -> bool) -> Pace<'c> {
        Pace { is_over, lines: LINES, bytes: 0 }
    }

    /// Looks at the clock.
    pub(super) fn is_over(&self) -> bool {
        (self.is_over)()
    }

    /// Whether it ends before the next line; looks at the clock when it is time to.
    pub(super) fn ends(&mut self) -> bool {
        if self.lines < LINES && self.bytes < BYTES {
            return false;
        }
        (self.lines, self.bytes) = (0, 0);
        self.is_over()
    }

    /// A line with so much text is looked at.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl fmt::Debug for Pace<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Pace({} lines, {} bytes)", self.lines, self.bytes)
    }
}

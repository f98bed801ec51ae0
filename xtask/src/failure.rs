//! The one error of this program: a text for the developer who ran it. It says
//! what went wrong, where, and what to do now. Every module returns it; nothing
//! here decides anything by it.

use std::fmt;

/// What went wrong, where, what now.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// What every command gives back.
pub(crate) type Outcome = Result<(), Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shorthand for `Err(Failure(..))` with a formatted text.
macro_rules! fail {
    ($($text:tt)*) => { Err($crate::failure::Failure(format!($($text)*))) };
}
pub(crate) use fail;

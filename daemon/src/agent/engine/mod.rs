//! The engine keeps the thirteen sections of the two nodes alike: it knows how each one
//! stands, decides what to send, and takes what comes. It reads files by `tree`, keeps
//! versions in `store`, changes the configuration by `apply`, and talks by `channel`.

pub mod assemble;
pub mod delta;
pub mod diff;
pub mod ending;
pub mod exchange;
pub mod fetching;
pub mod last;
pub mod line;
pub mod marks;
pub mod message;
pub mod overview;
pub mod reading;
pub mod run;
pub mod showing;
pub mod standing;
pub mod state;
pub mod waiting;
pub mod work;

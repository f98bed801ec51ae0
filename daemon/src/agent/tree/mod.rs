//! Files below the root, for the sections: what a section covers ([`Scope`]), what lies
//! there, and making it equal to a manifest. Called by the engine and by `apply`. Nothing
//! outside of a scope is read or written, and no symlink is ever followed.

mod glob;
mod scope;

pub use glob::GlobError;
pub use scope::{Lists, Scope};

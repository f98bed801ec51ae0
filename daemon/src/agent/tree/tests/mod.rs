//! Scans and writes of real files in temporary directories. They run as root.

mod attacks;
mod refreshing;
mod scanning;
pub(in crate::agent) mod support;
mod writing;

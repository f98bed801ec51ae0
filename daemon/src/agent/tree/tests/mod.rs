//! Scans and writes of real files in temporary directories. They run as root.

mod scanning;
mod support;

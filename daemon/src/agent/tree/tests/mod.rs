//! Scans and writes of real files in temporary directories. They run as root.

mod attacks;
mod scanning;
mod support;
mod writing;

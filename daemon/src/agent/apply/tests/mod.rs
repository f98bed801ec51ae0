//! Applies in temporary roots, with real validators, real failures and real kills. They
//! run as root.

mod applying;
mod crashing;
mod group;
mod support;

//! The benchmark: both products in the same lab, under the same faults, in turn.
//!
//! `bench failover --against keepalived` plays every row of [`rows`] with both
//! products, one after the other and each time the other one first, and writes
//! medians, spread and ratios to docs/benchmarks.md; `bench sync` does the same for the
//! configuration, `bench flows` for connections, `bench logs` for log lines,
//! `bench console` measures pages. Called by the lab's program.
//! Judges nothing but what the table says; a repetition that failed is told, not hidden.

pub mod command;
pub mod console;
pub mod figures;
pub mod flows;
pub mod logs;
pub mod machine;
pub mod rows;
pub mod run;
pub mod sync;
pub mod table;

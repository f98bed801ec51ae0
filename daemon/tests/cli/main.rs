//! The `twinwall` program as its users meet it: the real binary, run against a
//! socket that answers as the guard does, and against files.

mod conditions;
mod files;
#[path = "../shared/json_schema.rs"]
mod json_schema;
mod pages;
mod profile;
mod replies;
mod run;
mod schema;
mod support;
mod unreachable;
mod views;
mod watchdog;

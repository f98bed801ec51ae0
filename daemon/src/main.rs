//! The twinwall command: reads and orders, starts and watches guard and agent. It never decides a role and never touches an address.

mod api_client;
mod cli;
mod commands;
mod pages;
mod secret;
mod show;
mod system;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::perform(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("twinwall: {}", failure.message);
            }
            failure.exit.into()
        }
    }
}

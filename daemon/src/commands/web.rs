//! `twinwall web`: the console's process, and the token for its first set-up.

use std::path::Path;

use sd_notify::NotifyState;
use serde_json::json;
use twinwall::agent::api::accounts::SetupToken;
use twinwall::failure::{Exit, Failure};
use twinwall::web;

use crate::api_client::Api;
use crate::cli::{WebArgs, WebOrder};
use crate::show::print;

pub(super) fn web(root: &Path, args: &WebArgs) -> Result<(), Failure> {
    match args.order {
        None => serve(root),
        Some(WebOrder::SetupToken) => setup_token(root),
    }
}

fn serve(root: &Path) -> Result<(), Failure> {
    let ready = || {
        // Without a service manager this does nothing.
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            eprintln!("twinwall web: telling the service manager: {error}");
        }
    };
    web::serve(root, ready)
        .map_err(|error| Failure { exit: Exit::Machine, message: format!("web: {error}") })
}

fn setup_token(root: &Path) -> Result<(), Failure> {
    let made: SetupToken = Api::of(root).post("/api/v1/setup-token", &json!({}))?;
    let minutes = made.lasts_s / 60;
    let mut text =
        format!("{}\n\nGood for {minutes} minutes and one use, in the console", made.token);
    text += &match web::fingerprint(&root.join(web::OWN_CERTIFICATE)) {
        Ok(print) => format!(". Its certificate's SHA-256 fingerprint:\n{print}\n"),
        Err(_) => "; start it: systemctl start twinwall-web\n".to_owned(),
    };
    print(&text)
}

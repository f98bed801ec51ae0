//! `twinwall alerts`: whom the pair tells when something happens. A secret is asked for on a
//! terminal, unseen, and is else the first line of standard input.

use std::path::Path;

use twinwall::agent::alerts::Tried;
use twinwall::agent::alerts::view::{AlertState, AlertView, AlertsView};
use twinwall::agent::api::alerts::NewSecret;
use twinwall::agent::api::ha::SetSettings;
use twinwall::agent::api::sync::Taken;
use twinwall::agent::ha::Done;
use twinwall::agent::settings::Change;
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::cli::{AlertsArgs, AlertsOrder};
use crate::show::{print, print_json};
use crate::{secret, system};

pub(super) fn alerts(root: &Path, args: &AlertsArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    match &args.order {
        None => list(&api, args.json),
        Some(AlertsOrder::Test { name }) => {
            let tried: Tried = api.post(&at(name, "/test"), &serde_json::json!({}))?;
            if args.json {
                return print_json(&tried);
            }
            print(&format!("{name} was told in {} ms: {}\n", tried.took_ms, tried.said))
        }
        Some(AlertsOrder::Secret { name, forget: true }) => {
            let _: Taken = api.delete(&at(name, "/secret"))?;
            print(&format!("This node has no secret for {name} any more.\n"))
        }
        Some(AlertsOrder::Secret { name, forget: false }) => {
            let secret = secret::ask("Secret", &format!("secret of {name}"))?;
            let _: Taken = api.put(&at(name, "/secret"), &NewSecret { secret })?;
            print(&format!(
                "This node has the secret for {name}. Set it on the other node too: after a \
                 failover that one tells.\n"
            ))
        }
        Some(AlertsOrder::Remove { name }) => {
            let changes = vec![Change::RemoveAlert { name: name.clone() }];
            let order = SetSettings { changes, seen: None, addresses_by_hand: false };
            let _: Done = api.post("/api/v1/ha/set", &order)?;
            let _: Taken = api.delete(&at(name, "/secret"))?;
            print(&format!("{name} is told nothing any more.\n"))
        }
    }
}

fn at(name: &str, more: &str) -> String {
    format!("/api/v1/alerts/{}{more}", secret::in_path(name))
}

fn list(api: &Api, json: bool) -> Result<(), Failure> {
    let view: AlertsView = api.get("/api/v1/alerts")?;
    if json { print_json(&view) } else { print(&text(&view)) }
}

fn text(view: &AlertsView) -> String {
    if view.targets.is_empty() {
        return "Nobody is told anything. Add a target, as\n  twinwall ha set \
                alerts.noc.kind=webhook alerts.noc.url=https://alerts.example.org/twinwall\n"
            .to_owned();
    }
    let speaks = if view.speaks { "tells them" } else { "is quiet: the other node tells them" };
    let mut text = format!("{} {speaks}.\n", view.node);
    view.targets.iter().for_each(|target| text += &one(target));
    text
}

fn one(target: &AlertView) -> String {
    let settings = &target.settings;
    let to = match settings.url.as_ref().or(settings.server.as_ref()) {
        Some(to) => to.clone(),
        None => String::new(),
    };
    let mut text = format!(
        "\n{} ({}, from {} on)  {}\n  to         {to}\n",
        settings.name,
        settings.kind,
        settings.severity,
        target.state.words()
    );
    if let Some(why) = target.why.as_ref().filter(|_| target.state != AlertState::Off) {
        text += &format!("  but        {why}\n");
    }
    if target.takes_secret {
        let has = if target.secret { "set on this node" } else { "none on this node" };
        text += &format!("  secret     {has}\n");
    }
    let last = target.last_told_ms.map(|at| format!(", last {}", system::local_time(at)));
    text += &format!("  told       {}{}\n", target.told, last.unwrap_or_default());
    if target.left_out > 0 || target.lost > 0 {
        text += &format!(
            "  not told   {} left out by the limit of {} an hour, {} given up\n",
            target.left_out, settings.per_hour, target.lost
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::settings::alerts::AlertSetting;

    #[test]
    fn what_is_wrong_with_a_target_stands_below_it_and_no_secret_is_shown() {
        let settings = AlertSetting {
            name: "noc".to_owned(),
            kind: "email".to_owned(),
            enabled: true,
            server: Some("mail.example.org:587".to_owned()),
            severity: "major".to_owned(),
            per_hour: 60,
            ..AlertSetting::default()
        };
        let target = AlertView {
            settings,
            state: AlertState::Failing,
            why: Some("mail.example.org:587: no answer".to_owned()),
            secret: true,
            takes_secret: true,
            told: 3,
            last_told_ms: None,
            left_out: 1,
            lost: 0,
        };
        let view = AlertsView { node: "gw-a".to_owned(), speaks: false, targets: vec![target] };
        assert_eq!(
            text(&view),
            "gw-a is quiet: the other node tells them.\n\n\
             noc (email, from major on)  failing\n  to         mail.example.org:587\n  \
             but        mail.example.org:587: no answer\n  secret     set on this node\n  \
             told       3\n  not told   1 left out by the limit of 60 an hour, 0 given up\n"
        );
        assert!(text(&AlertsView::default()).starts_with("Nobody is told anything."));
    }
}

//! What becomes of what is typed.

use super::form::{Typed, at_fields};
use crate::agent::api::error::{Code, Detail, Refusal};
use crate::agent::settings::alerts::AlertSetting;
use crate::web::pages::wrong::Wrong;

#[test]
fn a_target_that_is_saved_as_it_was_shown_stays_the_same() {
    let target = AlertSetting {
        name: "mail".to_owned(),
        kind: "email".to_owned(),
        enabled: true,
        server: Some("m.example:587".to_owned()),
        transport: Some("starttls".to_owned()),
        user: Some("gw".to_owned()),
        from: Some("gw@e.org".to_owned()),
        to: vec!["a@e.org".to_owned(), "b@e.org".to_owned()],
        severity: "major".to_owned(),
        conditions: vec!["failover".to_owned()],
        per_hour: 9,
        ..AlertSetting::default()
    };
    assert_eq!(Typed::of(&target).settings(), Ok(target.clone()));
    let fields: Vec<&str> =
        Typed::of(&target).fields(&Wrong::default()).iter().map(|field| field.id).collect();
    assert!(fields.contains(&"user") && !fields.contains(&"url"), "{fields:?}");
}

#[test]
fn each_kind_has_a_form_and_no_other_word_has() {
    for kind in ["webhook", "email", "syslog"] {
        let typed = Typed::fresh(kind).expect(kind);
        assert_eq!(typed.settings().expect("numbers").kind, kind);
    }
    assert!(Typed::fresh("pager").is_none());
}

#[test]
fn what_is_wrong_stands_beside_its_field() {
    let detail = |place: &str| Detail { place: place.to_owned(), message: place.to_owned() };
    let details = vec![detail("alerts.noc.to[2]"), detail("alerts.noc.url"), detail("alerts.x y")];
    let refusal = Refusal { code: Code::Invalid, message: String::new(), details };
    let wrong = Wrong::of(at_fields(refusal, "noc"));
    assert_eq!(wrong.at("to"), Some("alerts.noc.to[2]"));
    assert_eq!(wrong.at("url"), Some("alerts.noc.url"));
    assert_eq!(wrong.at("name"), Some("alerts.x y"));
}

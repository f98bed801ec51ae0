//! The log on a real disk: what is kept, in which order, and what a crash or a flood does to it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let process = std::process::id();
        let folder = std::env::temp_dir().join(format!("twinwall-audit-{name}-{process}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("made");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn who(user: &str) -> Who {
    Who { user: user.to_owned(), from: "192.0.2.7".to_owned() }
}

fn change(audit: &Audit, user: &str, text: &str) {
    audit.change(Entry::of(who(user), text, Outcome::Done));
}

fn all(audit: &Audit) -> Vec<Entry> {
    audit.read(&Which { last: Some(MAX_PAGE), ..Which::default() }).entries
}

#[test]
fn it_goes_on_where_it_was_and_is_read_by_pages_and_by_user() {
    let folder = Folder::new("pages");
    let audit = Audit::below(&folder.0);
    for number in 0..10 {
        change(&audit, if number % 2 == 0 { "anna" } else { "ben" }, &format!("order {number}"));
    }
    drop(audit);
    let audit = Audit::below(&folder.0);
    audit.sign_in(SignIn::SignedIn, who("ben"), 0, Instant::now());
    change(&audit, "anna", "the last one");
    let numbers: Vec<u64> = all(&audit).iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<u64>>());
    let page = audit.read(&Which { last: Some(3), before: Some(12), user: None });
    assert_eq!(page.entries.iter().map(|it| it.number).collect::<Vec<_>>(), [9, 10, 11]);
    assert!(page.older && page.entries[2].text == "Sign in");
    let page = audit.read(&Which { user: Some("ben".to_owned()), ..Which::default() });
    assert!(
        !page.older && page.entries.len() == 6 && page.entries.iter().all(|it| it.user == "ben")
    );
}

#[test]
fn a_line_that_a_crash_tore_costs_only_itself() {
    let folder = Folder::new("torn");
    let path = folder.0.join(FOLDER).join("changes.log");
    let audit = Audit::below(&folder.0);
    change(&audit, "anna", "first");
    change(&audit, "anna", "second");
    drop(audit);
    let whole = fs::read(&path).expect("there");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("written");
        let audit = Audit::below(&folder.0);
        let before = all(&audit).len();
        change(&audit, "ben", "after the crash");
        let entries = all(&audit);
        assert_eq!(entries.len(), before + 1, "cut at {length}");
        assert_eq!(entries[before].user, "ben", "cut at {length}");
    }
}

#[test]
fn its_size_is_bounded_and_the_newest_stay() {
    let folder = Folder::new("bounded");
    let mut series = Series::new(&folder.0, "some", 1000, 3);
    for number in 0..500 {
        series.append(format!("line {number}\n").as_bytes()).expect("appended");
    }
    let sizes: Vec<u64> =
        series.files().map(|path| fs::metadata(path).expect("there").len()).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
    assert_eq!(fs::read_dir(&folder.0).expect("there").count(), 3);
    let text = fs::read_to_string(series.current()).expect("there");
    assert!(text.ends_with("line 499\n"), "{text}");
}

#[test]
fn a_flood_of_refused_sign_ins_is_counted_and_pushes_nothing_out() {
    let folder = Folder::new("flood");
    let audit = Audit::below(&folder.0);
    change(&audit, "anna", "what matters");
    let begin = Instant::now();
    for number in 0..100_000_u64 {
        let now = begin + Duration::from_millis(number);
        audit.sign_in(SignIn::Refused, who("unknown"), 0, now);
    }
    audit.sign_in(SignIn::SignedIn, who("anna"), 7, begin);
    let entries = all(&audit);
    assert!(entries.len() < 80, "{}", entries.len());
    assert_eq!(entries[0].text, "what matters");
    let counted: u64 = entries
        .iter()
        .filter(|it| it.outcome == Outcome::Refused)
        .map(|it| it.text.split_once(" more ").map_or(1, |(count, _)| count.parse().expect("one")))
        .sum();
    assert_eq!(counted, 100_000, "each is told or counted");
    let seven = entries.iter().any(|it| it.text == "7 more sign-ins");
    assert!(seven && entries.iter().any(|it| it.user == "anna" && it.text == "Sign in"));
}

#[test]
fn what_is_too_long_is_cut_and_a_disk_that_refuses_ends_nothing() {
    let folder = Folder::new("long");
    let audit = Audit::below(&folder.0);
    change(&audit, &"ä".repeat(5000), &"x\n".repeat(5000));
    let entry = &all(&audit)[0];
    assert_eq!(entry.user.chars().count(), MAX_WORD + 1);
    assert_eq!(entry.text.chars().count(), MAX_TEXT + 1);
    let path = folder.0.join(FOLDER);
    fs::remove_dir_all(&path).expect("removed");
    fs::write(&path, "no folder").expect("written");
    let audit = Audit::below(&folder.0);
    change(&audit, "anna", "lost");
    assert!(all(&audit).is_empty());
}

#[test]
fn what_an_agent_did_not_bring_to_its_end_is_told_at_the_next_start() {
    let folder = Folder::new("cut-off");
    let order = |text: &str, job, outcome| Entry {
        job,
        request: Some("POST /api/v1/some".to_owned()),
        ..Entry::of(who("anna"), text, outcome)
    };
    let audit = Audit::below(&folder.0);
    for (job, end) in [(Some(1), Some(Outcome::Done)), (Some(2), Some(Outcome::Cancelled))] {
        audit.change(order("an operation", job, Outcome::Begun));
        end.into_iter().for_each(|end| audit.change(order("an operation", job, end)));
    }
    audit.change(order("an operation", Some(3), Outcome::Begun));
    audit.change(order("an operation", None, Outcome::Refused));
    audit.change(order("a synchronisation", None, Outcome::Begun));
    audit.change(order("a synchronisation", None, Outcome::Refused));
    drop(audit);
    let told = |audit: &Audit| {
        let entries = all(audit).into_iter().skip(8);
        entries.map(|it| (it.text, it.job, it.outcome, it.why)).collect::<Vec<_>>()
    };
    let why = Some(CUT_OFF.to_owned());
    let wanted = [
        ("an operation".to_owned(), Some(3), Outcome::Failed, why.clone()),
        ("a synchronisation".to_owned(), None, Outcome::Failed, why),
    ];
    assert_eq!(told(&Audit::below(&folder.0)), wanted);
    assert_eq!(told(&Audit::below(&folder.0)), wanted, "once");
}

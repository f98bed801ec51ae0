//! The audit log: every change with who and from where, what came of it, and who signed in or
//! was refused. Each entry is a line of JSON on the disk before its order is answered. Its
//! size is bounded, and refused sign-ins have files of their own, so that no flood of them
//! pushes out what matters. No secret is ever in it. The API writes and reads it.

mod limit;
mod read;
mod series;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::unix_ms;
use super::identity::private;
use limit::Limit;
pub use read::{MAX_PAGE, Page, Which};
use series::Series;

/// The folder, relative to the root.
pub const FOLDER: &str = "var/lib/twinwall/audit";
/// Characters of a text that are kept.
const MAX_TEXT: usize = 400;
/// Characters of a name, an address or a request.
const MAX_WORD: usize = 200;

/// Of what an agent began that has ended.
const CUT_OFF: &str = "it was cut off: the agent ended before it had";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Entry {
    /// Ascending on this node.
    pub number: u64,
    /// When: milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// Who: an account, or a user of this machine.
    pub user: String,
    /// From where: an address, or `this node`.
    pub from: String,
    /// What was asked for, in words.
    pub text: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why not, where it was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Method and path of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The long operation that an order began; what became of that is an entry of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It began, and goes on.
    Begun,
    /// It was refused; nothing was changed.
    Refused,
    /// It began, and failed.
    Failed,
    /// It began, and somebody stopped it.
    Cancelled,
}

impl Outcome {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Begun => "begun",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// Who did something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// An account, or a user of this machine.
    pub user: String,
    /// An address, or `this node`.
    pub from: String,
}

impl Entry {
    /// What is about to be told.
    pub fn of(who: Who, text: impl Into<String>, outcome: Outcome) -> Entry {
        let Who { user, from } = who;
        let text = text.into();
        Entry {
            number: 0,
            at_ms: 0,
            user,
            from,
            text,
            outcome,
            why: None,
            request: None,
            job: None,
        }
    }

    fn cut(&mut self) {
        let cut = |text: &mut String, most: usize| {
            if let Some((end, _)) = text.char_indices().nth(most) {
                text.truncate(end);
                text.push('…');
            }
        };
        cut(&mut self.user, MAX_WORD);
        cut(&mut self.from, MAX_WORD);
        cut(&mut self.text, MAX_TEXT);
        self.why.iter_mut().for_each(|why| cut(why, MAX_TEXT));
        self.request.iter_mut().for_each(|request| cut(request, MAX_WORD));
    }
}

/// What happened at a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// Somebody signed in.
    SignedIn,
    /// Somebody signed out.
    SignedOut,
    /// Somebody ended all own sessions.
    SignedOutEverywhere,
    /// Name and password did not belong together.
    Refused,
    /// Nobody has the token that was sent.
    TokenRefused,
}

impl SignIn {
    fn words(self) -> (&'static str, Outcome) {
        match self {
            SignIn::SignedIn => ("Sign in", Outcome::Done),
            SignIn::SignedOut => ("Sign out", Outcome::Done),
            SignIn::SignedOutEverywhere => ("Sign out everywhere", Outcome::Done),
            SignIn::Refused => ("Sign in", Outcome::Refused),
            SignIn::TokenRefused => ("Use a token that nobody has", Outcome::Refused),
        }
    }
}

/// The log of one node.
#[derive(Debug)]
pub struct Audit(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    last: u64,
    changes: Series,
    sign_ins: Series,
    refused: Series,
    /// How often sign-ins, and refused ones, are told one by one.
    allowed: Limit,
    allowed_refused: Limit,
}

impl Audit {
    /// The log below `root`. A disk that does not take it is told with each entry; nothing
    /// else depends on it. Of what an agent before this one began and did not bring to its end
    /// it says that it was cut off.
    pub fn below(root: &Path) -> Audit {
        let folder = root.join(FOLDER);
        if let Err(error) = private::directory(&folder) {
            eprintln!("twinwall agent: {}: {error}", folder.display());
        }
        let changes = Series::new(&folder, "changes", 1 << 20, 5);
        let sign_ins = Series::new(&folder, "sign-ins", 512 << 10, 3);
        let refused = Series::new(&folder, "refused", 256 << 10, 2);
        let all = [&changes, &sign_ins, &refused];
        let last = all.iter().filter_map(|series| read::last_number(series)).max().unwrap_or(0);
        let cut_off = read::without_end(&changes);
        let now = Instant::now();
        let audit = Audit(Mutex::new(Inside {
            last,
            changes,
            sign_ins,
            refused,
            allowed: Limit::new(60, 2, now),
            allowed_refused: Limit::new(20, 10, now),
        }));
        cut_off.into_iter().for_each(|entry| audit.cut_off(entry));
        audit
    }

    fn cut_off(&self, begun: Entry) {
        let (user, from) = (&begun.user, &begun.from);
        let asked = begun.request.as_deref().unwrap_or(&begun.text);
        eprintln!("twinwall agent: {user} from {from}: {asked}: {CUT_OFF}");
        self.change(Entry { outcome: Outcome::Failed, why: Some(CUT_OFF.to_owned()), ..begun });
    }

    /// Writes an entry of a change. Waits for the disk.
    pub fn change(&self, entry: Entry) {
        let mut inside = self.inside();
        let inside = &mut *inside;
        write(&mut inside.last, &mut inside.changes, entry);
    }

    /// Writes what happened at a sign-in, as long as that does not happen too often: then it is
    /// counted. `missed` more could not be told. Waits for the disk.
    pub fn sign_in(&self, what: SignIn, who: Who, missed: u32, now: Instant) {
        let mut inside = self.inside();
        let inside = &mut *inside;
        let (text, outcome) = what.words();
        let (limit, series) = match outcome {
            Outcome::Refused => (&mut inside.allowed_refused, &mut inside.refused),
            Outcome::Done | Outcome::Begun | Outcome::Failed | Outcome::Cancelled => {
                (&mut inside.allowed, &mut inside.sign_ins)
            }
        };
        limit.missed(missed);
        if limit.take(now) {
            tell_missed(&mut inside.last, series, limit, outcome);
            write(&mut inside.last, series, Entry::of(who, text, outcome));
        } else {
            limit.missed(1);
        }
    }

    /// A page of it, the newest last. Waits for the disk.
    pub fn read(&self, which: &Which) -> Page {
        let mut inside = self.inside();
        let inside = &mut *inside;
        let last = &mut inside.last;
        tell_missed(last, &mut inside.refused, &mut inside.allowed_refused, Outcome::Refused);
        tell_missed(last, &mut inside.sign_ins, &mut inside.allowed, Outcome::Done);
        read::page(&[&inside.changes, &inside.sign_ins, &inside.refused], which)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that were only counted, in one entry.
fn tell_missed(last: &mut u64, series: &mut Series, limit: &mut Limit, outcome: Outcome) {
    let missed = limit.take_missed();
    if missed > 0 {
        let who = Who { user: "various".to_owned(), from: "various".to_owned() };
        let what = match outcome {
            Outcome::Refused => "sign-ins or tokens that were refused",
            Outcome::Done | Outcome::Begun | Outcome::Failed | Outcome::Cancelled => "sign-ins",
        };
        write(last, series, Entry::of(who, format!("{missed} more {what}"), outcome));
    }
}

fn write(last: &mut u64, series: &mut Series, mut entry: Entry) {
    *last += 1;
    (entry.number, entry.at_ms) = (*last, unix_ms());
    entry.cut();
    let written = serde_json::to_vec(&entry).map_err(std::io::Error::other);
    let written = written.and_then(|mut line| {
        line.push(b'\n');
        series.append(&line)
    });
    if let Err(error) = written {
        let path = series.current();
        eprintln!("twinwall agent: the audit log lacks entry {last}: {}: {error}", path.display());
    }
}

//! Who may read, as the administrator's lines say, and the same for a node's context: nobody
//! reads of the other node who may not read of this one, from nowhere else, at no weaker level
//! and in no wider view. Pure.

use super::lines::Line;

/// Grants that are followed: more than any manager's list. Those beyond are noted.
const MAX_GRANTS: usize = 128;

/// A line that lets somebody read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// A community, of IPv4 or IPv6 sources.
    Community { six: bool, community: String, source: String, view: View },
    /// A user of SNMPv3, and of which security model where one is named.
    User { model: Option<String>, user: String, level: String, view: View },
    /// A community by its security name; `access` says what it may.
    Named { six: bool, name: String, source: String, community: String },
    /// What a group may read.
    Access { group: String, model: String, level: String, view: String },
    /// The same, as `authgroup` says it.
    Group { model: Option<String>, group: String, level: String, view: View },
    /// The same, as `authaccess` says it.
    AuthAccess { group: String, view: String, level: String },
}

/// What may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// All of it.
    All,
    /// What lies below a name.
    Below(String),
    /// What a view has.
    Named(String),
}

/// What the lines grant, and notes about those that are not followed.
pub(super) fn grants(lines: &[Line]) -> (Vec<Grant>, Vec<String>) {
    let (mut all, mut notes): (Vec<Grant>, Vec<String>) = (Vec::new(), Vec::new());
    for line in lines {
        let word = line.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let Some(grant) = grant(&word, line) else { continue };
        if !grant.is_plain() {
            notes.push(format!(
                "a '{word}' line of snmpd.conf has a quote or a backslash in a word: it is not \
                 followed; write such a line for each node's context by hand"
            ));
            continue;
        }
        if all.len() == MAX_GRANTS {
            notes.push(format!(
                "snmpd.conf has more than {MAX_GRANTS} lines that grant; the others are not \
                 followed"
            ));
            break;
        }
        if !all.contains(&grant) {
            all.push(grant);
        }
    }
    notes.dedup();
    (all, notes)
}

fn grant(word: &str, line: &Line) -> Option<Grant> {
    let at = |place: usize| line.get(place).cloned();
    match word {
        "rocommunity" | "rwcommunity" | "rocommunity6" | "rwcommunity6" => {
            let (view, context) = view(line.get(3..).unwrap_or_default());
            let source = at(2).unwrap_or_else(|| "default".to_owned());
            let (six, community) = (word.ends_with('6'), at(1)?);
            context.is_none().then_some(Grant::Community { six, community, source, view })
        }
        "rouser" | "rwuser" => {
            let named = line.get(1).is_some_and(|it| it == "-s");
            let (model, rest) = match named {
                true => (at(2), line.get(3..)?),
                false => (None, line.get(1..)?),
            };
            let level = rest.get(1).cloned().unwrap_or_else(|| "auth".to_owned());
            let (view, context) = view(rest.get(2..).unwrap_or_default());
            let user = rest.first()?.clone();
            context.is_none().then_some(Grant::User { model, user, level, view })
        }
        "com2sec" | "com2sec6" if line.get(1).is_none_or(|it| !it.starts_with('-')) => {
            let (name, source, community) = (at(1)?, at(2)?, at(3)?);
            Some(Grant::Named { six: word.ends_with('6'), name, source, community })
        }
        "access" => {
            let own = at(2)?.is_empty();
            let (group, model, level, view) = (at(1)?, at(3)?, at(4)?, at(6)?);
            (own && view != "none").then_some(Grant::Access { group, model, level, view })
        }
        _other => grant_of_types(word, line),
    }
}

/// Lines that say by a list of types what they grant.
fn grant_of_types(word: &str, line: &Line) -> Option<Grant> {
    let at = |place: usize| line.get(place).cloned();
    let reads =
        |types: &str| types.split([',', ':', '|']).any(|it| it.eq_ignore_ascii_case("read"));
    // As snmpd 5.9 reads it: its manual has the last two words the other way round.
    if word == "setaccess" {
        let own = at(2)?.is_empty() && at(6)?.eq_ignore_ascii_case("read");
        let (group, model, level, view) = (at(1)?, at(3)?, at(4)?, at(7)?);
        return (own && view != "none").then_some(Grant::Access { group, model, level, view });
    }
    let by_types = matches!(word, "authcommunity" | "authuser" | "authgroup" | "authaccess");
    if !by_types || !reads(line.get(1)?) {
        return None;
    }
    let (model, rest) = match line.get(2).is_some_and(|it| it == "-s") {
        true => (at(3), line.get(4..)?),
        false => (None, line.get(2..)?),
    };
    let name = rest.first()?.clone();
    if word == "authaccess" {
        let (view, level) = (rest.get(1)?.clone(), rest.get(2).cloned());
        let level = level.unwrap_or_else(|| "auth".to_owned());
        // snmpd refuses one with a security model, whatever its manual says.
        let own = rest.get(3).is_none_or(String::is_empty) && model.is_none();
        return own.then_some(Grant::AuthAccess { group: name, view, level });
    }
    let second = rest.get(1).cloned();
    let (view, context) = view(rest.get(2..).unwrap_or_default());
    let level = || second.clone().unwrap_or_else(|| "auth".to_owned());
    let source = || second.clone().unwrap_or_else(|| "default".to_owned());
    let grant = match word {
        "authcommunity" => Grant::Community { six: false, community: name, source: source(), view },
        "authuser" => Grant::User { model, user: name, level: level(), view },
        _authgroup => Grant::Group { model, group: name, level: level(), view },
    };
    context.is_none().then_some(grant)
}

/// The view of a grant, and the context that it is for.
fn view(rest: &[String]) -> (View, Option<String>) {
    match rest {
        [] => (View::All, None),
        [flag, name, more @ ..] if flag == "-V" => {
            (View::Named(name.clone()), more.first().cloned())
        }
        [below, more @ ..] => (View::Below(below.clone()), more.first().cloned()),
    }
}

impl Grant {
    /// Whether it can be written again without changing its meaning: a word with a quote of its
    /// own cannot.
    fn is_plain(&self) -> bool {
        let plain =
            |word: &String| !word.contains(['"', '\\']) && !word.chars().any(char::is_control);
        match self {
            Grant::Community { community, source, view, .. } => {
                plain(community) && plain(source) && view.is_plain()
            }
            Grant::User { model, user, level, view } => {
                model.iter().all(plain) && plain(user) && plain(level) && view.is_plain()
            }
            Grant::Named { name, source, community, .. } => {
                plain(name) && plain(source) && plain(community)
            }
            Grant::Access { group, model, level, view } => {
                [group, model, level, view].into_iter().all(plain)
            }
            Grant::Group { model, group, level, view } => {
                model.iter().all(plain) && plain(group) && plain(level) && view.is_plain()
            }
            Grant::AuthAccess { group, view, level } => [group, view, level].into_iter().all(plain),
        }
    }

    /// The same for a context: a community gets `@` and its name.
    pub(super) fn line(&self, context: &str) -> String {
        let six = |six: bool| if six { "6" } else { "" };
        let by = |model: &Option<String>| {
            model.as_ref().map_or_else(String::new, |it| format!("-s {} ", word(it)))
        };
        match self {
            Grant::Community { six: is_six, community, source, view } => format!(
                "rocommunity{} {} {} {} {context}",
                six(*is_six),
                word(&format!("{community}@{context}")),
                word(source),
                view.words()
            ),
            Grant::User { model, user, level, view } => {
                let (model, user, level) = (by(model), word(user), word(level));
                format!("rouser {model}{user} {level} {} {context}", view.words())
            }
            Grant::Group { model, group, level, view } => {
                let (model, group, level) = (by(model), word(group), word(level));
                format!("authgroup read {model}{group} {level} {} {context}", view.words())
            }
            Grant::AuthAccess { group, view, level } => {
                let (group, view, level) = (word(group), word(view), word(level));
                format!("authaccess read {group} {view} {level} {context}")
            }
            Grant::Named { six: is_six, name, source, community } => format!(
                "com2sec{} -Cn {context} {} {} {}",
                six(*is_six),
                word(name),
                word(source),
                word(&format!("{community}@{context}"))
            ),
            Grant::Access { group, model, level, view } => format!(
                "access {} {context} {} {} exact {} none none",
                word(group),
                word(model),
                word(level),
                word(view)
            ),
        }
    }

    /// The view that it names.
    pub(super) fn view_name(&self) -> Option<&str> {
        match self {
            Grant::Community { view: View::Named(name), .. }
            | Grant::User { view: View::Named(name), .. }
            | Grant::Group { view: View::Named(name), .. }
            | Grant::AuthAccess { view: name, .. }
            | Grant::Access { view: name, .. } => Some(name),
            Grant::Community { .. }
            | Grant::User { .. }
            | Grant::Group { .. }
            | Grant::Named { .. } => None,
        }
    }
}

impl View {
    fn is_plain(&self) -> bool {
        match self {
            View::All => true,
            View::Below(text) | View::Named(text) => {
                !text.is_empty() && text.chars().all(|one| one.is_ascii_graphic() && one != '"')
            }
        }
    }

    fn words(&self) -> String {
        match self {
            View::All => ".1".to_owned(),
            View::Below(name) => name.clone(),
            View::Named(name) => format!("-V {name}"),
        }
    }
}

/// A word as snmpd reads it back.
fn word(text: &str) -> String {
    let plain =
        !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains(['#', '\'']);
    if plain { text.to_owned() } else { format!("\"{text}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        let word = |word: &str| word.trim_matches('"').to_owned();
        text.lines().map(|line| line.split(' ').map(word).collect()).collect()
    }

    #[test]
    fn each_grant_is_written_again_for_a_context_and_never_wider() {
        for (own, for_context) in [
            ("rocommunity public", "rocommunity public@gw-b default .1 gw-b"),
            (
                "rocommunity public 10.1.0.0/24 -V systemonly",
                "rocommunity public@gw-b 10.1.0.0/24 -V systemonly gw-b",
            ),
            ("rwcommunity6 full ::1", "rocommunity6 full@gw-b ::1 .1 gw-b"),
            (
                "rocommunity part default .1.3.6.1.2.1",
                "rocommunity part@gw-b default .1.3.6.1.2.1 gw-b",
            ),
            ("rouser anna", "rouser anna auth .1 gw-b"),
            ("rwuser -s tsm anna priv -V some", "rouser -s tsm anna priv -V some gw-b"),
            ("com2sec lan 10.1.0.0/24 hidden", "com2sec -Cn gw-b lan 10.1.0.0/24 hidden@gw-b"),
            (
                "access readers \"\" v2c noauth prefix some writable none",
                "access readers gw-b v2c noauth exact some none none",
            ),
            ("authcommunity read public", "rocommunity public@gw-b default .1 gw-b"),
            (
                "authcommunity read,write ops 10.1.0.0/24 -V some",
                "rocommunity ops@gw-b 10.1.0.0/24 -V some gw-b",
            ),
            ("authuser read anna", "rouser anna auth .1 gw-b"),
            ("authuser read -s tsm anna priv .1.3", "rouser -s tsm anna priv .1.3 gw-b"),
            ("authgroup read staff", "authgroup read staff auth .1 gw-b"),
            (
                "authgroup read,write -s v2c readers noauth -V some",
                "authgroup read -s v2c readers noauth -V some gw-b",
            ),
            ("authaccess READ staff some", "authaccess read staff some auth gw-b"),
            ("authaccess read staff some noauth", "authaccess read staff some noauth gw-b"),
            (
                "setaccess readers \"\" v2c noauth prefix read some",
                "access readers gw-b v2c noauth exact some none none",
            ),
        ] {
            let (grants, notes) = grants(&lines(own));
            assert_eq!(grants.len(), 1, "{own}");
            assert_eq!(grants[0].line("gw-b"), for_context);
            assert_eq!(notes, Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_for_a_context_already_or_grants_nothing_is_left_alone() {
        for own in [
            "rocommunity public default -V some their-context",
            "rouser anna priv .1 their-context",
            "com2sec -Cn their-context lan default hidden",
            "access readers their-context any noauth exact all none none",
            "access writers \"\" any noauth exact none all none",
            "authcommunity log,execute public",
            "authcommunity read public default .1 their-context",
            "authaccess read staff some noauth their*",
            "authaccess read -s v2c staff some noauth",
            "setaccess readers \"\" v2c noauth prefix notify some",
            "group readers v2c lan",
            "view some included .1",
            "syslocation here",
            "rocommunity",
        ] {
            assert_eq!(grants(&lines(own)).0, Vec::new(), "{own}");
        }
    }

    #[test]
    fn lines_beyond_the_limit_and_of_unknown_forms_are_noted() {
        let many: String = (0..=MAX_GRANTS).map(|it| format!("rocommunity c{it}\n")).collect();
        let (all, notes) = grants(&lines(&many));
        assert_eq!((all.len(), notes.len()), (MAX_GRANTS, 1));
        let quoted = [vec!["rocommunity".to_owned(), "a\"b".to_owned()]];
        let (all, notes) = grants(&quoted);
        assert_eq!((all.len(), notes.len()), (0, 1), "{notes:?}");
        let spaced = [vec!["rocommunity".to_owned(), "a b".to_owned()]];
        let line = grants(&spaced).0[0].line("gw-b");
        assert_eq!(line, "rocommunity \"a b@gw-b\" default .1 gw-b");
    }
}

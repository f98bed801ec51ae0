//! `twinwall preflight`: are the two nodes alike enough for high availability?

use std::path::Path;

use twinwall::agent::preflight::{Compared, KernelSetting, Preflight, Verdict};
use twinwall::failure::{Exit, Failure};

use crate::api_client::Api;
use crate::cli::PreflightArgs;
use crate::show::{print, print_json};

pub(super) fn preflight(root: &Path, args: &PreflightArgs) -> Result<(), Failure> {
    let compared: Preflight = Api::of(root).get("/api/v1/preflight")?;
    if args.json {
        print_json(&compared)?
    } else {
        print(&text(&compared))?
    }
    if compared.good {
        return Ok(());
    }
    // Everything was said on standard output.
    Err(Failure { exit: Exit::Problem, message: String::new() })
}

fn text(compared: &Preflight) -> String {
    let there = compared.there.as_deref().unwrap_or("the other node");
    let mut rows = vec![["".to_owned(), compared.here.clone(), there.to_owned(), String::new()]];
    rows.extend(compared.prerequisites.iter().map(row));
    let mut text = format!("{}\n\n{}", compared.verdict, table(&rows));
    for one in compared.prerequisites.iter().filter(|it| it.verdict == Verdict::Failed) {
        text += &format!("\n{}: {}\n  {}\n", one.name.name(), one.why, one.what_now);
    }
    if let Some(one) = compared.prerequisites.iter().find(|it| it.blocks()) {
        text += &format!(
            "\nOn lab and virtual machines one can be taken as it is, which is recorded:\n  \
             twinwall ha set preflight.override+={}\n",
            one.name.name()
        );
    }
    let mut kernel = vec![[
        "Kernel settings, yours".to_owned(),
        compared.here.clone(),
        there.to_owned(),
        "while it is on".to_owned(),
    ]];
    kernel.extend(compared.kernel.iter().map(setting));
    text + "\n" + &table(&kernel)
}

fn row(one: &Compared) -> [String; 4] {
    let verdict = match (one.verdict, one.overridden) {
        (Verdict::Good, _) => "good",
        (Verdict::Failed, false) => "FAILED",
        (Verdict::Failed, true) => "overridden",
        (Verdict::Unknown, _) => "not known",
    };
    [one.name.name().to_owned(), one.here.clone(), one.there.clone(), verdict.to_owned()]
}

fn setting(one: &KernelSetting) -> [String; 4] {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    [one.name.clone(), shown(&one.here), shown(&one.there), one.wanted.clone()]
}

/// Columns as wide as their widest entry, two blanks between.
fn table(rows: &[[String; 4]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; 3] = [0, 1, 2].map(width);
    let line = |row: &[String; 4]| {
        let [name, here, there, last] = row;
        let [one, two, three] = widths;
        let line = format!("{name:<one$}  {here:<two$}  {there:<three$}  {last}");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_values_stand_beside_the_verdict_and_what_failed_is_explained() {
        let json = r#"{"good":false,"verdict":"One prerequisite is not met.","here":"gw-a",
            "there":"gw-b","away":null,"prerequisites":[
            {"name":"model","here":"FW-200","there":"FW-200","verdict":"good","overridden":false,
             "why":"","what_now":""},
            {"name":"cpu","here":"2 x A","there":"4 x A","verdict":"failed","overridden":true,
             "why":"they differ","what_now":"pair two units of one model"},
            {"name":"firmware","here":"12","there":"13","verdict":"failed","overridden":false,
             "why":"they differ","what_now":"bring both to the same firmware"}],
            "kernel":[{"name":"net.a","wanted":"0","here":"1","there":null,"why":"so"}]}"#;
        let text = text(&serde_json::from_str(json).expect("JSON"));
        let wanted = "One prerequisite is not met.\n\n\
            \u{20}         gw-a    gw-b\n\
            model     FW-200  FW-200  good\n\
            cpu       2 x A   4 x A   overridden\n\
            firmware  12      13      FAILED\n\n\
            cpu: they differ\n  pair two units of one model\n\n\
            firmware: they differ\n  bring both to the same firmware\n\n\
            On lab and virtual machines one can be taken as it is, which is recorded:\n  \
            twinwall ha set preflight.override+=firmware\n\n\
            Kernel settings, yours  gw-a  gw-b  while it is on\n\
            net.a                   1     -     0\n";
        assert_eq!(text, wanted);
    }
}

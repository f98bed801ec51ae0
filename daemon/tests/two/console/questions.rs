//! What the pages of logs and reports are asked for, and what they say of a question that is wrong.

use super::support::{Console, PASSWORD, with_consoles};
use crate::support::{Two, wait};

/// Both nodes have a line and a report of their own, and the first one shows both.
fn with_both_nodes_files(two: &Two) -> Console {
    for (node, name) in [(&two.a, "gw-a"), (&two.b, "gw-b")] {
        node.write("var/log/gateway.log", &format!("a line of {name}\n"));
        node.write(&format!("var/reports/of-{name}.csv"), "a,b\n1,2\n");
    }
    two.a.good(&["ha", "set", "sync.logs=true"]);
    two.a.typed(&["account", "add", "anna", "--role", "administrator"], PASSWORD);
    let here = Console::of(&two.a, "10.1.0.2");
    assert_eq!(here.sign_in("anna", PASSWORD).status, 303);
    wait("both nodes' lines and reports are here", || {
        let has = |path: &str, [own, other]: [&str; 2]| {
            let page = here.ask(&[path]).body;
            page.contains(own) && page.contains(other)
        };
        has("/logs", ["a line of gw-a", "a line of gw-b"])
            && has("/reports", ["of-gw-a.csv", "of-gw-b.csv"])
    });
    here
}

#[test]
fn logs_and_reports_take_a_node_by_its_name_and_say_which_ones_there_are() {
    let two = with_consoles();
    let here = with_both_nodes_files(&two);
    let page = |path: &str, node: &str| {
        let answer = here.ask(&[&format!("{path}?node={node}")]);
        assert_eq!(answer.status, 200, "{path} {node}");
        answer.body
    };
    for (path, a, b) in
        [("/logs", "a line of gw-a", "a line of gw-b"), ("/reports", "of-gw-a.csv", "of-gw-b.csv")]
    {
        for (node, wanted, word) in [
            ("gw-a", "gw-a", "here"),
            ("here", "gw-a", "here"),
            ("gw-b", "gw-b", "there"),
            ("there", "gw-b", "there"),
        ] {
            let page = page(path, node);
            let seen = (page.contains(a), page.contains(b));
            assert_eq!(seen, (wanted == "gw-a", wanted == "gw-b"), "{path} {node}: {page}");
            let chosen = format!("<option value=\"{word}\" selected>{wanted}</option>");
            assert!(page.contains(&chosen), "{path} {node}: {page}");
        }
        let none = page(path, "gw-c");
        assert!(!none.contains(a) && !none.contains(b), "{none}");
        let wrong = none.split("id=\"node-wrong\">").nth(1).unwrap_or_default();
        let wrong = wrong.split("</p>").next().unwrap_or_default();
        for part in ["gw-c", "gw-a", "gw-b"] {
            assert!(wrong.contains(part), "{path}: {wrong}: {none}");
        }
        assert!(!none.contains("No line") && !none.contains("There are none."), "{none}");
    }
}

#[test]
fn an_expression_that_is_none_is_told_at_its_field_with_what_is_wrong() {
    let two = with_consoles();
    let here = with_both_nodes_files(&two);
    for (typed, field, why) in [
        ("%28", "value=\"(\"", "unclosed group; put \\ before a sign"),
        ("%5Ba", "value=\"[a\"", "unclosed character class; put \\ before a sign"),
        ("%28%5Cw%7B100%7D%29%7B100%7D", "", "it is too large; make it simpler"),
    ] {
        for follow in ["", "&follow=1"] {
            let answer = here.ask(&[&format!("/logs?expression=1&text={typed}{follow}")]);
            let page = &answer.body;
            assert_eq!(answer.status, 200, "{page}");
            let told = page.contains(&format!("<p class=\"wrong\" id=\"text-wrong\">{why}"));
            let marked = page.contains("aria-invalid=\"true\" aria-describedby=\"text-wrong\"");
            assert!(told && marked && page.contains(field), "{typed}: {page}");
            // Nothing was looked for, and nothing is followed that would be refused for ever.
            for other in ["a line of", "No line of this kind", "data-live=\"/logs/live"] {
                assert!(!page.contains(other), "{typed}: {other}: {page}");
            }
        }
    }
    // As text it is found as it is.
    let page = here.ask(&["/logs?text=%28"]).body;
    assert!(page.contains("No line of this kind") && !page.contains("text-wrong"), "{page}");
}

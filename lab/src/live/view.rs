//! Draws a [`Picture`] as lines of text with colours. Reads nothing, writes nothing.

use super::keys::KEYS;
use super::picture::{NodePicture, Picture};
use super::pulse::Cell;
use crate::plan;
use crate::result::millis;
use crate::traffic::connections::ConnectionsSeen;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";

/// Width of a gateway's box inside its frame.
const BOX: usize = 30;

/// The whole screen for a terminal of this size; each line ends by clearing its rest. Where it is
/// too low the ways in go first, then empty lines. A report takes the room of the keys, then of the
/// drawing as well: it is what the person waits for, and gone with the next key.
pub(super) fn screen(picture: &Picture, columns: usize, rows: usize) -> String {
    let ways = vec![
        format!("{DIM}{}{RESET}", picture.look_inside),
        format!("{DIM}{}{RESET}", picture.consoles),
        String::new(),
    ];
    let keys = help(columns).into_iter().chain([String::new()]).collect();
    let mut drawing = gateways(picture);
    drawing.push(String::new());
    let mut told = vec![format!("{BOLD}{}{RESET}", picture.doing)];
    told.extend(picture.report.iter().cloned());
    let title = vec![format!("{BOLD}{}{RESET}", picture.title)];
    let mut parts = [title, ways, drawing, now(picture, columns), keys, told];
    let room = rows.saturating_sub(1);
    let lacks = |parts: &[Vec<String>]| parts.iter().map(Vec::len).sum::<usize>() > room;
    if lacks(&parts) {
        parts[WAYS].clear();
    }
    if lacks(&parts) {
        parts.iter_mut().for_each(|part| part.retain(|line| !line.is_empty()));
    }
    for spare in [KEYS_PART, DRAWING] {
        if lacks(&parts) && !picture.report.is_empty() {
            parts[spare].clear();
        }
    }
    let mut lines = parts.concat();
    lines.truncate(room);
    let mut text = String::from("\x1b[H");
    for line in lines {
        text += &clipped(&line, columns);
        text += "\x1b[K\r\n";
    }
    text + "\x1b[J"
}

/// Places of the parts that make room for a report.
const WAYS: usize = 1;
const DRAWING: usize = 2;
const KEYS_PART: usize = 4;

/// Who answers, what the client sees.
fn now(picture: &Picture, columns: usize) -> Vec<String> {
    let mut lines = vec![owner(picture)];
    if !picture.configuration.is_empty() {
        lines.push(format!("configuration: {}", picture.configuration));
    }
    lines.push(format!(
        "the client sent {} packets, {} lost   {DIM}· answered  ▒ some lost  █ all lost  ! two nodes answer{RESET}",
        picture.sent, picture.lost
    ));
    lines.push(strip(picture, columns));
    lines.extend(picture.connections.as_ref().map(connections));
    lines.push(String::new());
    lines
}

fn gateways(picture: &Picture) -> Vec<String> {
    let [a, b] = &picture.nodes;
    let edge = |left: &str, right: &str| format!("{left}{}{right}", "─".repeat(BOX));
    let ha = format!("ha0 {}══{} ha0", lamp(a.carrier[1]), lamp(b.carrier[1]));
    let mut lines = vec![format!("                     {}", edge("┌", "┐"))];
    lines.extend(node_lines(a, '┌', '┐'));
    lines.push(format!("                     {}", edge("└", "┘")));
    lines.push(format!("    client ─┤                  {ha}                  ├─ server"));
    lines.push(format!(
        "    {:<13}    {}    {:>12}",
        plan::CLIENT_IP,
        edge("┌", "┐"),
        plan::SERVER_IP.to_string()
    ));
    lines.extend(node_lines(b, '└', '┘'));
    lines.push(format!("                     {}", edge("└", "┘")));
    lines
}

fn node_lines(node: &NodePicture, left: char, right: char) -> [String; 3] {
    let colour = match (node.active, node.silent) {
        (true, _) => GREEN,
        (false, true) => RED,
        (false, false) => DIM,
    };
    let inside = |text: &str, colour: &str| {
        format!("│ {colour}{:<width$}{RESET}│", fitted(text, BOX - 2), width = BOX - 1)
    };
    let [lan, _, wan] = node.carrier;
    let cable = |on: bool| if on { "─" } else { "╳" };
    let head = format!("{} ({})", node.name, node.part);
    [
        format!("                     {}", inside(&head, BOLD)),
        format!(
            "            {left}{}lan0 {} {} {} wan0{}{right}",
            cable(lan),
            lamp(lan),
            inside(&node.role, colour),
            lamp(wan),
            cable(wan)
        ),
        format!("                     {}", inside(&node.detail, DIM)),
    ]
}

fn lamp(on: bool) -> String {
    if on { format!("{GREEN}●{RESET}") } else { format!("{RED}○{RESET}") }
}

fn owner(picture: &Picture) -> String {
    match picture.owner {
        Some(node) => format!(
            "{} answers from {BOLD}{}{RESET}",
            plan::LAN_VIP,
            [plan::GATEWAY_A, plan::GATEWAY_B][node]
        ),
        None => format!("nobody has answered for {} yet", plan::LAN_VIP),
    }
}

/// How long-lived connections fare.
fn connections(seen: &ConnectionsSeen) -> String {
    let count = |count: usize, colour: &str, word: &str| {
        let colour = if count == 0 { DIM } else { colour };
        format!("{colour}{count} {word}{RESET}")
    };
    format!(
        "connections: {}, {}, {}   longest pause {:.0} ms",
        count(seen.alive, GREEN, "alive"),
        count(seen.resumed, YELLOW, "resumed"),
        count(seen.lost, RED, "lost"),
        millis(seen.longest_pause)
    )
}

fn strip(picture: &Picture, columns: usize) -> String {
    let cells = picture.strip.len().min(columns.saturating_sub(1));
    let newest = picture.strip.iter().skip(picture.strip.len() - cells);
    newest.map(|cell| mark(*cell)).collect()
}

fn mark(cell: Cell) -> String {
    let (colour, sign) = match cell {
        Cell { two_answer: true, .. } => (YELLOW, "!"),
        Cell { lost: 0, .. } => (GREEN, "·"),
        Cell { sent, lost, .. } if lost < sent => (YELLOW, "▒"),
        Cell { .. } => (RED, "█"),
    };
    format!("{colour}{sign}{RESET}")
}

/// The keys, as many a line as fit.
fn help(columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for (key, _, word) in KEYS {
        let width = word.chars().count() + 5;
        if used + width > columns {
            lines.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(line) = lines.last_mut() {
            *line += &format!("{BOLD}{}{RESET} {word}   ", char::from(*key));
        }
    }
    lines
}

fn fitted(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

/// Cuts a line to the terminal's width; colour codes take no room.
fn clipped(line: &str, columns: usize) -> String {
    let mut text = String::new();
    let mut used = 0;
    let mut in_code = false;
    for sign in line.chars() {
        if sign == '\x1b' {
            in_code = true;
        } else if !in_code {
            used += 1;
        }
        if used <= columns {
            text.push(sign);
        }
        if in_code && sign.is_ascii_alphabetic() {
            in_code = false;
        }
    }
    text + RESET
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plain(text: &str) -> String {
        let mut out = String::new();
        let mut in_code = false;
        for sign in text.chars() {
            match (in_code, sign) {
                (_, '\x1b') => in_code = true,
                (true, _) => in_code = !sign.is_ascii_alphabetic(),
                (false, _) => out.push(sign),
            }
        }
        out
    }

    fn picture() -> Picture {
        let node = |name, active: bool| NodePicture {
            name,
            part: "primary",
            role: if active { "ACTIVE".into() } else { "PASSIVE".into() },
            active,
            carrier: [true, true, active],
            ..NodePicture::default()
        };
        let mut picture =
            Picture { nodes: [node("gw-a", true), node("gw-b", false)], ..Picture::default() };
        let cell = |lost, two_answer| Cell { sent: 10, lost, two_answer };
        picture.connections = Some(ConnectionsSeen {
            alive: 5,
            resumed: 3,
            lost: 0,
            longest_pause: Duration::from_millis(34),
            floor: Duration::ZERO,
            kinds: Vec::new(),
            ftp: None,
        });
        picture.add(vec![cell(0, false), cell(3, false), cell(10, false), cell(0, true)], Some(0));
        picture
    }

    #[test]
    fn the_screen_says_who_serves_and_what_was_lost() {
        let text = plain(&screen(&picture(), 80, 40));
        assert!(text.contains("10.1.0.1 answers from gw-a"));
        assert!(text.contains("sent 40 packets, 13 lost"));
        assert!(text.contains("·▒█!"));
        assert!(text.contains("connections: 5 alive, 3 resumed, 0 lost   longest pause 34 ms"));
        assert!(text.contains("○ wan0╳"), "{text}");
    }

    #[test]
    fn a_report_finds_room_on_a_small_terminal() {
        let mut picture = picture();
        picture.doing = "gw-a loses power".to_owned();
        let whole = plain(&screen(&picture, 80, 24));
        for part in ["client ─┤", "UNDO ALL", "gw-a loses power"] {
            assert!(whole.contains(part), "{part}: {whole}");
        }
        picture.report = (0..14).map(|line| format!("report line {line}")).collect();
        let small = plain(&screen(&picture, 80, 24));
        assert!(small.contains("gw-a loses power") && small.contains("report line 13"), "{small}");
        assert!(!small.contains("client ─┤"), "the drawing is back with the next key");
        let large = plain(&screen(&picture, 80, 50));
        assert!(large.contains("client ─┤") && large.contains("report line 13"), "{large}");
    }

    #[test]
    fn no_line_is_wider_or_lower_than_the_terminal() {
        let text = plain(&screen(&picture(), 50, 12));
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 50), "{lines:?}");
        assert!(lines.len() <= 12);
    }
}

//! The picture: two nodes, the HA link between them, and below them each interface with its
//! virtual IPs and who carries them. Drawn twice, for wide screens and for a phone; words
//! stand at everything that a colour says.

use askama::Template;

use crate::agent::dashboard::{Dashboard, InterfaceView, NodeView, StatusWord};
use crate::web::pages::words::{designation, icon, state_class};

/// Interfaces that are drawn; the others are counted.
const MAX_ROWS: usize = 6;
/// Virtual IPs that are written at an interface.
const MAX_IPS: usize = 2;

/// What differs between the two drawings.
struct Form {
    class: &'static str,
    width: i32,
    node_width: i32,
    chip_width: i32,
}

const WIDE: Form = Form { class: "wide", width: 760, node_width: 236, chip_width: 264 };
const NARROW: Form = Form { class: "narrow", width: 360, node_width: 150, chip_width: 176 };
const TOP: i32 = 12;
const NODE_HEIGHT: i32 = 116;
const FIRST_ROW: i32 = TOP + NODE_HEIGHT + 28;
const ROW: i32 = 64;
const CHIP_HEIGHT: i32 = 50;

#[derive(Template)]
#[template(path = "picture.html")]
struct Picture {
    class: &'static str,
    label: String,
    width: i32,
    height: i32,
    nodes: Vec<NodeBox>,
    link: Option<Link>,
    rows: Vec<Row>,
    more: usize,
    middle: i32,
}

struct NodeBox {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
    name: String,
    designation: &'static str,
    status: &'static str,
    class: &'static str,
    icon: &'static str,
    role: Option<String>,
}

struct Link {
    left: i32,
    right: i32,
    y: i32,
    class: &'static str,
    name: String,
    word: &'static str,
}

struct Row {
    left: Riser,
    right: Riser,
    x: i32,
    y: i32,
    width: i32,
    height: i32,
    name: String,
    watch: bool,
    ips: String,
    held: bool,
}

struct Riser {
    path: String,
    class: &'static str,
    /// Where 'down' is written, when it is.
    down: Option<(i32, i32)>,
}

/// Both drawings.
pub(super) fn draw(pair: &Dashboard) -> String {
    let drawn = [WIDE, NARROW].map(|form| picture(pair, &form).render().unwrap_or_default());
    drawn.concat()
}

fn picture(pair: &Dashboard, form: &Form) -> Picture {
    let shown = pair.interfaces.len().min(MAX_ROWS);
    let more = pair.interfaces.len() - shown;
    let mut nodes = vec![node(&pair.here, 1, form)];
    nodes.extend(
        pair.there.as_ref().map(|there| node(there, form.width - form.node_width - 1, form)),
    );
    let rows = (0..shown).map(|at| row(pair, at, shown, form)).collect();
    let below = i32::try_from(shown).unwrap_or_default() * ROW + if more > 0 { 24 } else { 0 };
    Picture {
        class: form.class,
        label: label(pair),
        width: form.width,
        height: FIRST_ROW + below - 10,
        nodes,
        link: pair.there.as_ref().and(link(pair, form)),
        rows,
        more,
        middle: form.width / 2,
    }
}

fn node(view: &NodeView, x: i32, form: &Form) -> NodeBox {
    let differs = |role: &String| role != view.status.words();
    NodeBox {
        x,
        y: TOP,
        width: form.node_width,
        height: NODE_HEIGHT,
        name: short(view.name.as_deref().unwrap_or("other node"), form),
        designation: designation(view.designation),
        status: view.status.words(),
        class: state_class(view.status),
        icon: icon(view.status),
        role: view.role.clone().filter(differs),
    }
}

/// A name that fits into the box.
fn short(name: &str, form: &Form) -> String {
    let room = usize::try_from(form.node_width / 11).unwrap_or(10);
    if name.chars().count() <= room {
        return name.to_owned();
    }
    let cut: String = name.chars().take(room - 1).collect();
    format!("{cut}…")
}

fn link(pair: &Dashboard, form: &Form) -> Option<Link> {
    let view = pair.ha_link.as_ref()?;
    let (class, word) = match (view.carrier, view.heard) {
        (Some(false), _) => ("bad", "no carrier"),
        (_, Some(true)) => ("good", "up"),
        (_, Some(false)) => ("bad", "lost"),
        (_, None) => ("unknown", "not used"),
    };
    Some(Link {
        left: form.node_width + 1,
        right: form.width - form.node_width - 1,
        y: TOP + NODE_HEIGHT / 2,
        class,
        name: view.interface.clone(),
        word,
    })
}

fn row(pair: &Dashboard, at: usize, of: usize, form: &Form) -> Row {
    let view = &pair.interfaces[at];
    let (at, of) = (i32::try_from(at).unwrap_or_default(), i32::try_from(of).unwrap_or(1));
    let y = FIRST_ROW + at * ROW;
    let x = (form.width - form.chip_width) / 2;
    // The first interface has the innermost line, so that none crosses another.
    let step = if of > 1 { ((form.node_width - 60) / (of - 1)).min(26) } else { 0 };
    let inset = 24 + (of - 1 - at) * step;
    let is_active =
        |node: Option<&NodeView>| node.is_some_and(|it| it.status == StatusWord::Active);
    let (here, there) = (is_active(Some(&pair.here)), is_active(pair.there.as_ref()));
    let ends = |from: i32, to: i32, carries: bool, well: Option<bool>| {
        riser(from, to, y + CHIP_HEIGHT / 2, carries, well)
    };
    Row {
        left: ends(inset.min(x - 8), x, here, view.here),
        right: ends(form.width - inset.min(x - 8), x + form.chip_width, there, view.there),
        x,
        y,
        width: form.chip_width,
        height: CHIP_HEIGHT,
        name: view.name.clone(),
        watch: view.watch,
        ips: ips(view),
        held: here || there,
    }
}

fn riser(from: i32, to: i32, y: i32, carries: bool, well: Option<bool>) -> Riser {
    let class = match (well, carries) {
        (Some(false), _) => "bad",
        (Some(true) | None, true) => "carries",
        (Some(true), false) => "spare",
        (None, false) => "unknown",
    };
    let side = if from < to { -5 } else { 5 };
    Riser {
        path: format!(
            "M{from} {} V{} Q{from} {y} {} {y} H{to}",
            TOP + NODE_HEIGHT,
            y - 8,
            from - side * 8 / 5
        ),
        class,
        down: (well == Some(false)).then_some((to + side, y - 6)),
    }
}

fn ips(view: &InterfaceView) -> String {
    let mut words: Vec<&str> = view.virtual_ips.iter().map(String::as_str).take(MAX_IPS).collect();
    let more = view.virtual_ips.len().saturating_sub(MAX_IPS);
    let count = format!("+{more}");
    if more > 0 {
        words.push(&count);
    }
    if words.is_empty() { "no virtual IP".to_owned() } else { words.join("  ") }
}

/// The picture in words.
fn label(pair: &Dashboard) -> String {
    let node = |view: &NodeView| {
        let name = view.name.as_deref().unwrap_or("the other node");
        format!("{name}, {}, is {}. ", designation(view.designation), view.status.words())
    };
    let mut text = node(&pair.here);
    text.extend(pair.there.as_ref().map(node));
    if let Some(link) = pair.there.as_ref().and(pair.ha_link.as_ref()) {
        let word = match link.heard {
            Some(true) => "is up",
            Some(false) => "is lost",
            None => "is not used",
        };
        text += &format!("The HA link {} {word}. ", link.interface);
    }
    let active = std::iter::once(&pair.here).chain(&pair.there);
    let holder =
        active.filter(|it| it.status == StatusWord::Active).find_map(|it| it.name.as_deref());
    for view in &pair.interfaces {
        let who = holder.map_or("nobody", |name| name);
        text += &format!("{}: {}, carried by {who}", view.name, ips(view));
        for (well, where_) in [(view.here, "this node"), (view.there, "the other node")] {
            if well == Some(false) {
                text += &format!(", down on {where_}");
            }
        }
        text += ". ";
    }
    text.trim_end().to_owned()
}

//! `twinwall pair`: makes two nodes a pair, shows how that stands, and undoes it.

use std::io;
use std::path::Path;

use twinwall::agent::api::pairing::{InviteOrder, JoinOrder, UnpairOrder};
use twinwall::agent::api::sync::Taken;
use twinwall::agent::jobs::JobView;
use twinwall::agent::pairing::files::Card;
use twinwall::agent::pairing::rotate::Step;
use twinwall::agent::pairing::view::{Heard, PairView};
use twinwall::failure::Failure;
use twinwall_core::ids::Designation;

use crate::api_client::Api;
use crate::cli::{InviteArgs, JoinArgs, Pair};
use crate::show::{print, print_json};

/// Largest card in bytes that is read.
const MAX_CARD: usize = 8192;

pub(super) fn pair(root: &Path, order: &Pair) -> Result<(), Failure> {
    let api = Api::of(root);
    match order {
        Pair::Invite(args) => invite(&api, args),
        Pair::Join(args) => join(&api, args),
        Pair::Status(args) => {
            let view: PairView = api.get("/api/v1/pair")?;
            if args.json { print_json(&view) } else { print(&text(&view)) }
        }
        Pair::Unpair { here } => unpair(&api, *here),
        Pair::Rotate => {
            let job: JobView = api.post("/api/v1/pair/rotate", &())?;
            api.follow(&job).map(drop)
        }
        Pair::Replace { interface } => {
            let interface = interface.clone();
            follow(&api, &InviteOrder { interface, designation: None, replace: true })
        }
        Pair::Export => {
            let card: Card = api.get("/api/v1/pair/card")?;
            print_json(&card)
        }
        Pair::Import { file } => import(&api, file),
    }
}

fn invite(api: &Api, args: &InviteArgs) -> Result<(), Failure> {
    let designation = args.secondary.then_some(Designation::Secondary);
    follow(api, &InviteOrder { interface: args.interface.clone(), designation, replace: false })
}

fn follow(api: &Api, order: &InviteOrder) -> Result<(), Failure> {
    let job: JobView = api.post("/api/v1/pair/invite", order)?;
    api.follow_or_cancel(&job)?;
    print("Now, on either node: twinwall ha set, then twinwall ha enable.\n")
}

fn join(api: &Api, args: &JoinArgs) -> Result<(), Failure> {
    let code = match &args.code {
        Some(code) => code.clone(),
        None => asked("Code that the other node shows: ")?,
    };
    let order = JoinOrder { code, interface: args.interface.clone() };
    let job: JobView = api.post("/api/v1/pair/join", &order)?;
    api.follow_or_cancel(&job).map(drop)
}

fn asked(question: &str) -> Result<String, Failure> {
    print(question)?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::machine("reading the answer", &error))?;
    Ok(answer.trim().to_owned())
}

fn unpair(api: &Api, here: bool) -> Result<(), Failure> {
    let _: Taken = api.post("/api/v1/pair/unpair", &UnpairOrder { here })?;
    let where_ = if here {
        "This node has forgotten the other one; the other one still knows this node.\n"
    } else {
        "Both nodes have forgotten each other and their common key.\n"
    };
    print(where_)
}

fn import(api: &Api, file: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::machine(format!("reading {}", file.display()), &error))?;
    let card: Card = Some(text)
        .filter(|text| text.len() <= MAX_CARD)
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or_else(|| {
            Failure::problem(format!(
                "{}: no card; make it on the other node: twinwall pair export",
                file.display()
            ))
        })?;
    let _: Taken = api.post("/api/v1/pair/card", &card)?;
    print(&format!("Paired with {}, as its card says.\n", card.node))
}

fn text(view: &PairView) -> String {
    let Some(peer) = &view.peer else {
        let mut text = format!("{} is not paired: twinwall pair invite, or join.\n", view.node);
        text += &heard(&view.heard);
        return text;
    };
    let name = peer.name.as_deref().unwrap_or("the other node");
    let part = view.designation.map_or("of no part", Designation::word);
    let mut text = format!("{} is the {part} and paired with {name}", view.node);
    if let (Some(id), Some(interface)) = (view.pair_id, &view.interface) {
        text += &format!("; pair {id}, HA link {interface}");
    }
    text += ".\n";
    match (&peer.trouble, peer.connected) {
        (_, true) => text += "The agents talk to each other.\n",
        (Some(why), false) => text += &format!("The agents do not talk to each other: {why}\n"),
        (None, false) => text += "The agents do not talk to each other.\n",
    }
    text += match view.rotation {
        Some(Step::Staged) => "Keys are being changed (1 of 3 steps done on this node).\n",
        Some(Step::Used) => "Keys are being changed (2 of 3 steps done on this node).\n",
        None => "",
    };
    text + &heard(&view.heard)
}

fn heard(heard: &[Heard]) -> String {
    let line = |it: &Heard| {
        let what = if it.is_peer { "the other node of this pair" } else { "a stranger" };
        format!("Heard on {}: {} by its {}, {what}.\n", it.here, it.node, it.there)
    };
    heard.iter().map(line).collect()
}

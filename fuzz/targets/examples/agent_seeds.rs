//! Writes the seeds of the agent's targets anew: `cargo run -p twinwall-fuzz --example
//! agent_seeds`. Needed after a change of their layout only.

use std::fs;
use std::path::Path;

use twinwall::agent::digest::Digest;
use twinwall::agent::engine::delta;
use twinwall::agent::identity::Identity;
use twinwall::agent::manifest::Manifest;
use twinwall_fuzz::engine::{CONTENTS, known};

fn main() -> std::io::Result<()> {
    texts()?;
    streams()?;
    manifests()?;
    for (name, bytes) in answers() {
        write("engine_answer", name, &bytes)?;
    }
    let der = Identity::generate().expect("an identity").certificate().der().to_vec();
    write("pairing_certificate", "of_a_node", &der)?;
    write("pairing_certificate", "cut_off", &der[..der.len() - 1])?;
    write("apply_journal", "one_section", &journal())?;
    // What the bytes mean stands in src/pairing.rs.
    let scripts: [(&str, &[u8]); 5] = [
        ("to_the_end", &[0, 1, 0, 1, 0, 1, 0, 1]),
        ("a_changed_proof", &[0, 1, 10, 40, 1, 1, 0, 1]),
        ("a_changed_card", &[0, 1, 0, 1, 10, 9, 9, 1]),
        ("a_repeated_card", &[0, 1, 0, 1, 12, 0, 1, 1]),
        ("something_else", &[14, 2, b'{', b'}', 1, 0, 1]),
    ];
    scripts.iter().try_for_each(|(name, script)| write("pairing_talk", name, script))
}

/// A digest in text, of nothing in particular.
fn digest() -> String {
    Digest::of(b"certificate").to_string()
}

fn greeting() -> String {
    let run = "0".repeat(32);
    format!(
        r#"{{"versions":{{"least":1,"most":1}},"stream":"flows","node":"gw-a","release":"0.1.0","run":"{run}"}}"#
    )
}

fn texts() -> std::io::Result<()> {
    let (digest, pake) = (digest(), "42".repeat(33));
    let all = [
        ("finder_announcement", "inviting", format!(
            r#"{{"version":1,"run":7,"certificate":"{digest}","interface":"ha0","node":"gw-a","pair_id":3,"inviting":8857}}"#
        )),
        ("pairing_clear", "hello", format!(
            r#"{{"message":"hello","side":"joiner","versions":{{"least":1,"most":1}},"release":"0.1.0","node":"gw-b","interface":"ha0","certificate":"{digest}","pake":"{pake}"}}"#
        )),
        ("pairing_clear", "proof", format!(r#"{{"message":"proof","proof":"{}"}}"#, "0".repeat(64))),
        ("pairing_clear", "refused", r#"{"message":"refused","reason":"wrong_code","left":2}"#.to_owned()),
        ("pairing_clear", "versions", r#"{"message":"refused","reason":"versions","versions":{"least":2,"most":3},"release":"9"}"#.to_owned()),
        ("pairing_sealed", "card", r#"{"message":"card","certificate":"3082"}"#.to_owned()),
        ("pairing_sealed", "terms", r#"{"message":"terms","certificate":"3082","designation":"secondary","settings":"pair_id = 7\n"}"#.to_owned()),
        ("pairing_sealed", "stopped", r#"{"message":"stopped","why":"no room"}"#.to_owned()),
        ("channel_greeting", "flows", greeting()),
        ("engine_question", "manifest", format!(r#"{{"ask":"manifest","digest":"{}","base":null}}"#, known().digest())),
        ("engine_question", "contents", format!(r#"{{"ask":"contents","digests":["{}","{}"]}}"#, Digest::of(CONTENTS[0]), Digest::of(CONTENTS[1]))),
        ("engine_question", "not_here", format!(r#"{{"ask":"manifest","digest":"{digest}","base":"{digest}"}}"#)),
        ("translate", "text", "router 10.1.0.2 peer [2001:db8::3]:80, 192.0.2.20\n".to_owned()),
        ("translate", "marks", "router \0own lan 0\0 peer \0peer lan 1\0\n".to_owned()),
        ("translate", "unknown_mark", "\0own dmz 0\0".to_owned()),
    ];
    for (target, name, text) in all.iter().chain(&frames()) {
        write(target, name, text.as_bytes())?;
    }
    Ok(())
}

/// Frames of the control stream, a statement or a question of each kind.
fn frames() -> [(&'static str, &'static str, String); 8] {
    let digest = digest();
    let version = format!(
        r#"{{"revision":{{"number":4,"digest":"{digest}"}},"at_ms":5,"who":"root","node":"gw-a","source":"entered"}}"#
    );
    let report = format!(
        r#"s{{"message":"report","node":"gw-a","lineage":"{:032x}","sections":{{"mail":"{digest}"}},"problems":{{"users":"no"}},"missing":["ips"]}}"#,
        1
    );
    let take = format!(
        r#"s{{"message":"take","job":1,"lineage":"{:032x}","forced":false,"who":"root","sections":{{"mail":"{digest}"}}}}"#,
        1
    );
    let taking = r#"s{"message":"taking","job":1,"forced":true,"who":"root","sections":{"ips":{"phase":"failed","why":"no"},"vpn":{"phase":"fetching","percent":7}}}"#;
    let facts = r#"c{"answer":[3,{"reply":"facts","node":"gw-a","release":"1","identity":{"model":{"is":"x"},"firmware":{"not":"y"},"registration":null,"cpu":{"is":"z"},"memory_kib":4},"ports":[{"name":"ha0","speed":1000,"mtu":1500}],"ha_link":{"name":"ha0","reaches":"ha0","strangers":["gw-x"]},"kernel":[{"name":"a.b","now":"1","before":null,"wanted":"0","why":"so"}]}]}"#;
    [
        ("agent_frame", "report", report),
        ("agent_frame", "take", take),
        ("agent_frame", "taking", taking.to_owned()),
        ("agent_frame", "about", r#"c{"ask":[1,{"call":"about"}]}"#.to_owned()),
        (
            "agent_frame",
            "settings",
            format!(
                r#"c{{"ask":[2,{{"call":"settings_take","draft":{{"version":{version},"text":"pair_id = 7\n","by_hand":true,"keep_virtual":"primary"}}}}]}}"#
            ),
        ),
        (
            "agent_frame",
            "state",
            format!(
                r#"c{{"answer":[2,{{"reply":"settings_state","version":{version},"enabled":true,"active":null}}]}}"#
            ),
        ),
        ("agent_frame", "facts", facts.to_owned()),
        (
            "agent_frame",
            "refused",
            r#"c{"refuse":[3,{"code":"conflict","message":"not now"}]}"#.to_owned(),
        ),
    ]
}

fn streams() -> std::io::Result<()> {
    let framed = |kind: u8, content: &str| {
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        [&length[..], &[kind], content.as_bytes()].concat()
    };
    let about = framed(2, r#"c{"ask":[1,{"call":"about"}]}"#);
    let whole = [framed(1, &greeting()), framed(3, ""), about].concat();
    write("channel_stream", "greeting_alive_question", &whole)?;
    write("channel_stream", "too_long", &[0xff, 0xff, 0xff, 0xff, 2])
}

fn manifests() -> std::io::Result<()> {
    let known = known();
    write("manifest", "four_entries", &known.encode())?;
    write("manifest", "empty", &Manifest::default().encode())?;
    write("manifest_delta", "four_entries", &known.encode())?;
    write("manifest_delta", "all_gone", &delta::encode(&known, &Manifest::default()))
}

/// Whole and broken answers; the frame's first byte says whether more follows.
fn answers() -> [(&'static str, Vec<u8>); 4] {
    let frame = |kind: u8, content: &[u8]| {
        let length = u16::try_from(content.len() + 1).expect("short").to_be_bytes();
        [&length[..], &[kind], content].concat()
    };
    let told = delta::encode(&Manifest::default(), &known());
    let records: Vec<u8> = CONTENTS
        .iter()
        .flat_map(|it| [&Digest::of(it).0[..], &(it.len() as u64).to_be_bytes(), it].concat())
        .collect();
    let (head, tail) = records.split_at(50);
    [
        ("manifest", [vec![0], frame(0, &told[..40]), frame(1, &told[40..])].concat()),
        ("contents", [vec![1], frame(0, head), frame(1, tail)].concat()),
        ("refused", [vec![1], frame(3, b"no")].concat()),
        ("broken_off", [vec![1], frame(0, head), frame(2, b"")].concat()),
    ]
}

/// The body of a journal; the target puts its digest behind it.
fn journal() -> Vec<u8> {
    let (undo, redo, parents) =
        (Manifest::default().encode(), known().encode(), Manifest::default().encode());
    let header = format!(
        r#"{{"title":"taking over","translator":[{{"interface":"lan","own":"10.1.0.2","peer":"10.1.0.3"}}],"parts":[{{"section":"mail","lists":{{"include":["/etc/a"],"exclude":[],"node_local":[],"translate":[]}},"apply":[{{"argv":["true"],"limit":{{"secs":5,"nanos":0}}}}],"lengths":[{},{},{}]}}]}}"#,
        undo.len(),
        redo.len(),
        parents.len()
    );
    let length = u32::try_from(header.len()).expect("short").to_be_bytes();
    [b"TWJ1", &length[..], header.as_bytes(), &undo, &redo, &parents].concat()
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

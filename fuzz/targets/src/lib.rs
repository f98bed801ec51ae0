//! What each fuzz target does with its bytes. Called by libFuzzer (cargo-fuzz),
//! by the tests over the committed corpus, and by the targets themselves when
//! they replay files. A target panics when something is wrong, else it returns.

pub mod agent;
pub mod engine;
pub mod flows;
pub mod kept;
pub mod kernel;
pub mod lines;
pub mod logs;
pub mod pairing;
pub mod reach;
pub mod recording;
pub mod snmp;
pub mod texts;
pub mod wire;

/// A target: its name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; each has a file in `fuzz_targets/` and a folder in `corpus/`.
pub const TARGETS: &[Target] = &[
    ("agent_frame", agent::frame),
    ("api_line", texts::api_line),
    ("apply_journal", agent::journal),
    ("beat_content", wire::beat_content),
    ("channel_greeting", agent::greeting),
    ("channel_stream", agent::stream),
    ("config_key", texts::config_key),
    ("config_node", texts::config_node),
    ("config_pair", texts::config_pair),
    ("config_profile", texts::config_profile),
    ("conntrack", kernel::conntrack),
    ("echo", kernel::echo),
    ("engine_answer", engine::answer),
    ("engine_question", engine::question),
    ("exchange_message", kept::message),
    ("finder_announcement", agent::announcement),
    ("flows_message", flows::message),
    ("flows_place", flows::place),
    ("flows_talk", flows::talk),
    ("leases", kept::leases),
    ("logs_message", logs::message),
    ("log_line", lines::line),
    ("manifest", engine::manifest),
    ("manifest_delta", engine::delta),
    ("neighbour", kernel::neighbour),
    ("nf_tables", kernel::nf_tables),
    ("pairing_certificate", pairing::certificate),
    ("pairing_clear", pairing::clear),
    ("pairing_sealed", pairing::sealed),
    ("pairing_talk", pairing::talk),
    ("reach_packet", reach::packet),
    ("recording", recording::run),
    ("rtnetlink", kernel::rtnetlink),
    ("snmp_agentx", snmp::agentx),
    ("snmp_answer", snmp::answer),
    ("translate", agent::translated),
    ("wire_exchange", wire::exchange::run),
    ("wire_receive", wire::receive),
    ("wire_sealed", wire::sealed),
];

/// Makes a file of `fuzz_targets/` a libFuzzer target, or without `--cfg fuzzing`
/// a program that feeds the target the files named on its command line.
#[macro_export]
macro_rules! target {
    ($run:path) => {
        #[cfg(fuzzing)]
        ::libfuzzer_sys::fuzz_target!(|data: &[u8]| $run(data));

        #[cfg(not(fuzzing))]
        fn main() {
            for file in std::env::args_os().skip(1) {
                let data = std::fs::read(&file)
                    .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                $run(&data);
                println!("{}: passed", file.display());
            }
        }
    };
}

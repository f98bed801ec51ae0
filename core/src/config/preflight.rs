//! The prerequisites in which two nodes are compared before high availability turns on
//! (SPEC R2), by name: `[preflight] override` names those that may differ.

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use super::errors::{Place, Report};
use super::kinds::{Kind, each};

/// One prerequisite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Prerequisite {
    /// The same model of hardware.
    Model,
    /// The same processor, and as many.
    Cpu,
    /// As much memory.
    Memory,
    /// The same interfaces with the same speeds.
    Interfaces,
    /// The same version of the firmware.
    Firmware,
    /// Both are registered.
    Registration,
    /// The same release of twinwall.
    Release,
    /// The HA link has one name, and reaches that very port of the other node.
    HaLink,
    /// The same MTU.
    Mtu,
    /// The clocks agree.
    Clock,
    /// No other pair of this number is heard.
    PairId,
}

impl Prerequisite {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Prerequisite; 11] = [
        Prerequisite::Model,
        Prerequisite::Cpu,
        Prerequisite::Memory,
        Prerequisite::Interfaces,
        Prerequisite::Firmware,
        Prerequisite::Registration,
        Prerequisite::Release,
        Prerequisite::HaLink,
        Prerequisite::Mtu,
        Prerequisite::Clock,
        Prerequisite::PairId,
    ];

    /// Its name in files and commands.
    pub fn name(self) -> &'static str {
        match self {
            Prerequisite::Model => "model",
            Prerequisite::Cpu => "cpu",
            Prerequisite::Memory => "memory",
            Prerequisite::Interfaces => "interfaces",
            Prerequisite::Firmware => "firmware",
            Prerequisite::Registration => "registration",
            Prerequisite::Release => "release",
            Prerequisite::HaLink => "ha_link",
            Prerequisite::Mtu => "mtu",
            Prerequisite::Clock => "clock",
            Prerequisite::PairId => "pair_id",
        }
    }
}

/// Names of prerequisites: one text or a list.
pub(super) struct Prerequisites;

impl Kind for Prerequisites {
    type Value = Vec<Prerequisite>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<Prerequisite>> {
        let all = each(value, place, report, |text, place, report| {
            let found = Prerequisite::ALL.into_iter().find(|one| one.name() == text);
            if found.is_none() {
                report.add(place, "not a prerequisite", format!("use {}", names()));
            }
            found
        })?;
        let mut all: Vec<Prerequisite> = all.into_iter().map(|found| found.value).collect();
        all.sort_unstable();
        all.dedup();
        Some(all)
    }

    fn describe(&self) -> String {
        format!("list of {}", names())
    }
}

fn names() -> String {
    let all = Prerequisite::ALL.map(|one| format!("\"{}\"", one.name()));
    let (last, others) = all.split_last().expect("there are some");
    format!("{} or {last}", others.join(", "))
}

//! From what guard, readiness and failover reports call it to the condition: exhaustive, so
//! that a new alarm or reason cannot be without one.

use twinwall_core::explain::AlarmId;

use super::ConditionId;
use crate::agent::failovers::Kind;
use crate::agent::readiness::ReasonId;

/// The condition behind an alarm of the guard.
pub const fn of_alarm(id: AlarmId) -> ConditionId {
    match id {
        AlarmId::BothActive => ConditionId::TwoActive,
        AlarmId::NobodyServes => ConditionId::NobodyServes,
        AlarmId::NotFit => ConditionId::Unfit,
        AlarmId::InterfaceDown => ConditionId::InterfaceDown,
        AlarmId::InterfaceHeld => ConditionId::InterfaceHeld,
        AlarmId::CheckSaysNo => ConditionId::CheckSaysNo,
        AlarmId::InMaintenance => ConditionId::Maintenance,
        AlarmId::PeerNotFit => ConditionId::PeerUnfit,
        AlarmId::PeerSilent => ConditionId::PeerSilent,
        AlarmId::PeerAway => ConditionId::PeerAway,
        AlarmId::HaLinkLost => ConditionId::HaLinkLost,
        AlarmId::PathSilent => ConditionId::PathSilent,
        AlarmId::SettingsDiffer => ConditionId::SettingsDiffer,
        AlarmId::OwnAddress => ConditionId::OwnAddress,
        AlarmId::CableNotDirect => ConditionId::CableNotDirect,
        AlarmId::NotApplied => ConditionId::NotApplied,
        AlarmId::AddressesMissing => ConditionId::AddressesMissing,
        AlarmId::FramesRefused => ConditionId::FramesRefused,
        AlarmId::ProtectionMissing => ConditionId::ProtectionMissing,
    }
}

/// The condition behind a reason of readiness.
pub const fn of_reason(id: ReasonId) -> ConditionId {
    match id {
        ReasonId::NotPaired => ConditionId::NotPaired,
        ReasonId::Off => ConditionId::Off,
        ReasonId::SettingsWrong => ConditionId::SettingsWrong,
        ReasonId::GuardAway => ConditionId::GuardAway,
        ReasonId::OnTheMove => ConditionId::RoleOnTheMove,
        ReasonId::BothActive => ConditionId::TwoActive,
        ReasonId::NobodyServes => ConditionId::NobodyServes,
        // Which of the two it is, the alarm behind it says.
        ReasonId::TakerNotFit | ReasonId::ActiveNotFit => ConditionId::Unfit,
        ReasonId::PeerAway => ConditionId::PeerAway,
        ReasonId::SettingsDiffer => ConditionId::SettingsDiffer,
        ReasonId::HaLinkLost => ConditionId::HaLinkLost,
        ReasonId::PathSilent => ConditionId::PathSilent,
        ReasonId::OwnAddress => ConditionId::OwnAddress,
        ReasonId::CableNotDirect => ConditionId::CableNotDirect,
        ReasonId::NotApplied => ConditionId::NotApplied,
        ReasonId::AddressesMissing => ConditionId::AddressesMissing,
        ReasonId::Connections => ConditionId::Connections,
        ReasonId::FramesRefused => ConditionId::FramesRefused,
        ReasonId::KeyFileNotInUse => ConditionId::KeyFileNotInUse,
        ReasonId::KeysHalfChanged => ConditionId::KeysHalfChanged,
        ReasonId::ProtectionMissing => ConditionId::ProtectionMissing,
        ReasonId::AgentsApart => ConditionId::AgentsApart,
        ReasonId::NeverSynchronised => ConditionId::NeverSynchronised,
        ReasonId::OutOfSync => ConditionId::OutOfSync,
        ReasonId::Prerequisites => ConditionId::Prerequisites,
        ReasonId::ServiceFailed => ConditionId::ServiceFailed,
        ReasonId::CheckFailed => ConditionId::CheckFailed,
        ReasonId::LogsNotKept => ConditionId::LogsNotKept,
        ReasonId::Clock => ConditionId::ClocksApart,
        ReasonId::Release => ConditionId::ReleasesDiffer,
    }
}

/// What a move of the active role counts as; none for the first one of a pair.
pub const fn of_kind(kind: Kind) -> Option<ConditionId> {
    match kind {
        Kind::Failover => Some(ConditionId::Failover),
        Kind::Failback => Some(ConditionId::Failback),
        Kind::Switchover => Some(ConditionId::Switchover),
        Kind::Handover => Some(ConditionId::Handover),
        Kind::Interruption => Some(ConditionId::Interruption),
        Kind::Start => None,
    }
}

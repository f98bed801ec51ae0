//! Notices that become notifications: handed to snmpd by the node that speaks for the pair. One
//! that comes just before a failover waits for a while, since the node that should have sent it
//! may be dead. snmpd sends them to the administrator's managers. Without input and output.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::agentx::Varbind;
use super::mib;
use crate::agent::conditions::Notice;
use crate::agent::snmp::value::{Oid, Value};

/// How long a notice waits for this node to speak: longer than any failover.
const WAITS: Duration = Duration::from_secs(20);
/// Notices that wait at the most; the oldest is given up first, and counted.
const MAX_WAITING: usize = 200;
/// `snmpTrapOID.0` (RFC 3418): says which notification it is.
const TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// Those that wait.
#[derive(Default)]
pub(super) struct Waiting {
    notices: VecDeque<(Instant, Notice)>,
    /// Given up.
    pub(super) unsent: u64,
}

impl Waiting {
    /// Takes in what is new, and gives back what is due now.
    pub(super) fn take(&mut self, now: Instant, new: Vec<Notice>, speaks: bool) -> Vec<Notice> {
        self.notices.extend(new.into_iter().map(|notice| (now, notice)));
        if speaks {
            return self.notices.drain(..).map(|(_, notice)| notice).collect();
        }
        let before = self.notices.len();
        self.notices.retain(|(since, _)| now.duration_since(*since) < WAITS);
        let surplus = self.notices.len().saturating_sub(MAX_WAITING);
        self.notices.drain(..surplus);
        self.unsent += (before - self.notices.len()) as u64;
        Vec::new()
    }
}

/// What snmpd is told of a notice.
pub(super) fn varbinds(notice: &Notice, sender: &str) -> Vec<Varbind> {
    let which = mib::notification(notice.condition.row().number);
    let mut all = vec![(Oid::of(&TRAP_OID), Value::Name(which))];
    let values = mib::notice(notice, sender);
    all.extend(values.into_iter().enumerate().map(|(place, it)| (mib::notice_object(place), it)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::conditions::{ConditionId, Kind};

    fn notice(id: u64) -> Notice {
        let condition = ConditionId::PeerSilent;
        Notice {
            id,
            at_ms: 1,
            since_ms: None,
            node: "gw-b".to_owned(),
            condition,
            subject: None,
            severity: condition.severity(),
            kind: Kind::Raised,
            text: "silent on every path".to_owned(),
            what_now: condition.what_now().to_owned(),
        }
    }

    fn ids(notices: &[Notice]) -> Vec<u64> {
        notices.iter().map(|notice| notice.id).collect()
    }

    #[test]
    fn what_a_dead_node_did_not_send_is_sent_by_the_other_one() {
        let (mut waiting, begun) = (Waiting::default(), Instant::now());
        assert_eq!(ids(&waiting.take(begun, vec![notice(1), notice(2)], false)), [0; 0]);
        let soon = begun + Duration::from_secs(3);
        assert_eq!(ids(&waiting.take(soon, vec![notice(3)], true)), [1, 2, 3]);
        assert_eq!(ids(&waiting.take(soon, Vec::new(), true)), [0; 0]);
        assert_eq!(waiting.unsent, 0);
    }

    #[test]
    fn what_the_other_node_has_sent_is_not_sent_again_at_the_next_failover() {
        let (mut waiting, begun) = (Waiting::default(), Instant::now());
        waiting.take(begun, vec![notice(1)], false);
        assert_eq!(ids(&waiting.take(begun + WAITS, Vec::new(), false)), [0; 0]);
        assert_eq!(ids(&waiting.take(begun + WAITS, vec![notice(2)], true)), [2]);
        assert_eq!(waiting.unsent, 1);
        waiting.take(begun, (0..300).map(notice).collect(), false);
        assert_eq!((waiting.notices.len(), waiting.unsent), (MAX_WAITING, 101));
    }

    #[test]
    fn a_notification_says_which_it_is_before_all_else() {
        let all = varbinds(&notice(7), "gw-a");
        assert_eq!(all[0].0.to_string(), "1.3.6.1.6.3.1.1.4.1.0");
        let number = u32::from(ConditionId::PeerSilent.row().number);
        assert_eq!(all[0].1, Value::Name(mib::root().below(&[0, number])));
        assert!(all[1..].iter().all(|(name, _)| mib::has_object(name)));
        assert_eq!(all.len(), 11);
    }
}

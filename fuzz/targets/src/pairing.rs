//! Pairing: anybody's messages, the sealed ones, certificates, and whole conversations with
//! somebody in the middle.

use std::collections::VecDeque;
use std::sync::LazyLock;

use twinwall::agent::identity::{Certificate, Identity, MAX_CERTIFICATE};
use twinwall::agent::pairing::code::Code;
use twinwall::agent::pairing::exchange::{
    Agreed, Introduction, Inviter, Joiner, Outcome, Output, Terms,
};
use twinwall::agent::pairing::invitation::Invitation;
use twinwall::agent::pairing::message::{MAX_CLEAR, decode_clear, decode_sealed};
use twinwall_core::ids::Designation;
use twinwall_core::time::Moment;

/// A message that anybody could have sent.
pub fn clear(data: &[u8]) {
    let Ok(message) = decode_clear(data) else { return };
    assert!(data.len() <= MAX_CLEAR);
    assert_eq!(decode_clear(&message.encode()), Ok(message));
}

/// A message behind the seal.
pub fn sealed(data: &[u8]) {
    if let Ok(message) = decode_sealed(data) {
        assert_eq!(decode_sealed(&message.encode()), Ok(message));
    }
}

/// A certificate as pairing brings it.
pub fn certificate(data: &[u8]) {
    if let Ok(taken) = Certificate::decode(data) {
        assert!(data.len() <= MAX_CERTIFICATE);
        assert_eq!(taken.der(), data);
    }
}

/// The text of the pair's settings.
const SETTINGS: &str = include_str!("../../corpus/config_pair/two_interfaces");
/// Steps of one conversation.
const MAX_STEPS: usize = 64;

/// A conversation of two that have one code. Each step of the script is a byte: pass the next
/// message on, lose it, change a byte of it, say it twice, or say something else in its place.
/// Whoever keeps what was agreed on keeps the same as the other.
pub fn talk(data: &[u8]) {
    let agreed = agreed_after(data);
    if let [Some(inviter), Some(joiner)] = &agreed {
        assert!(inviter.key == joiner.key, "two keys");
        assert_eq!(inviter.settings, joiner.settings);
        assert_ne!(inviter.designation, joiner.designation);
    }
    assert!(agreed[0].is_none() || agreed[1].is_some(), "the joiner keeps it first");
}

/// What the inviter and the joiner keep after this script.
pub fn agreed_after(script: &[u8]) -> [Option<Box<Agreed>>; 2] {
    let mut ends = Ends::begin();
    let mut script = script.iter().copied();
    for _ in 0..MAX_STEPS {
        let Some(step) = script.next() else { break };
        let to_inviter = step & 1 == 0;
        let queue = if to_inviter { &mut ends.to_inviter } else { &mut ends.to_joiner };
        let Some(mut message) = queue.pop_front() else { continue };
        match step >> 1 & 7 {
            0..=3 => {}
            4 => continue,
            5 => {
                let at = usize::from(script.next().unwrap_or_default()) % message.len().max(1);
                let change = script.next().unwrap_or_default();
                message.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change);
            }
            6 => queue.push_front(message.clone()),
            _ => {
                let length = usize::from(script.next().unwrap_or_default());
                message = script.by_ref().take(length).collect();
            }
        }
        ends.hear(to_inviter, &message);
    }
    ends.agreed
}

struct Ends {
    invitation: Invitation,
    inviter: Inviter,
    joiner: Joiner,
    to_inviter: VecDeque<Vec<u8>>,
    to_joiner: VecDeque<Vec<u8>>,
    /// Of the inviter, of the joiner.
    agreed: [Option<Box<Agreed>>; 2],
}

impl Ends {
    fn begin() -> Ends {
        static CARDS: LazyLock<[Certificate; 2]> = LazyLock::new(|| {
            let card = || Identity::generate().expect("an identity").certificate().clone();
            [card(), card()]
        });
        let own = |name: &str, at: usize| {
            Introduction::new(name.to_owned(), "ha0".to_owned(), CARDS[at].clone())
        };
        let code = Code::of([7; 8]);
        let terms = Terms { own: Designation::Primary, settings: SETTINGS.to_owned() };
        let (joiner, hello) = Joiner::new(own("gw-b", 1), &code);
        Ends {
            invitation: Invitation::new(code, Moment::ZERO),
            inviter: Inviter::new(own("gw-a", 0), terms),
            joiner,
            to_inviter: [hello].into(),
            to_joiner: VecDeque::new(),
            agreed: [None, None],
        }
    }

    fn hear(&mut self, by_inviter: bool, message: &[u8]) {
        let outcome = if by_inviter {
            self.inviter.receive(Moment::ZERO, &mut self.invitation, message)
        } else {
            self.joiner.receive(message)
        };
        self.carry_out(by_inviter, outcome);
    }

    fn carry_out(&mut self, by_inviter: bool, outcome: Outcome) {
        let outputs = match outcome {
            Ok(outputs) => outputs,
            Err(ended) => ended.say.into_iter().map(Output::Send).collect(),
        };
        for output in outputs {
            match output {
                Output::Send(message) if by_inviter => self.to_joiner.push_back(message),
                Output::Send(message) => self.to_inviter.push_back(message),
                Output::Keep(agreed) => {
                    self.agreed[usize::from(!by_inviter)] = Some(agreed);
                    let after = if by_inviter {
                        self.inviter.kept(Ok(()))
                    } else {
                        self.joiner.kept(Ok(()))
                    };
                    self.carry_out(by_inviter, after);
                }
                Output::Tell(_) | Output::Paired => {}
            }
        }
    }
}

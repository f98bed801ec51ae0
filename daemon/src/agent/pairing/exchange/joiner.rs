//! The side that takes the code: speaks first, proves the code first, and keeps what the
//! inviter says that the pair shall be.

use twinwall_core::config::KEY_BYTES;
use zeroize::Zeroizing;

use super::{
    Agreed, Clear, Ended, Introduction, Malformed, Outcome, Output, PAKE_BYTES, Reason, Sealed,
    Secure, Side, Stop, first_hello, hex, limit, unhex,
};
use crate::agent::pairing::code::Code;
use crate::agent::pairing::keys::{Agreement, Hellos, Keys};
use crate::agent::pairing::message::{Hello, PROOF_BYTES, decode_clear};

/// The conversation of the joiner.
pub struct Joiner {
    pub(super) own: Introduction,
    state: State,
}

enum State {
    Hello { agreement: Agreement, said: Vec<u8> },
    Proof { keys: Box<Keys>, peer: Hello },
    Terms { secure: Box<Secure>, key: Zeroizing<[u8; KEY_BYTES]> },
    Keeping { secure: Box<Secure> },
    LastWord { secure: Box<Secure> },
    Over,
}

impl Joiner {
    /// Begins; the bytes are the first message.
    pub fn new(own: Introduction, code: &Code) -> (Joiner, Vec<u8>) {
        let (agreement, pake) = Agreement::start(Side::Joiner, code);
        let said = own.hello(Side::Joiner, &pake);
        (Joiner { own, state: State::Hello { agreement, said: said.clone() } }, said)
    }

    /// Longest message that may come now.
    pub fn limit(&self) -> usize {
        limit(!matches!(self.state, State::Hello { .. } | State::Proof { .. }))
    }

    /// A message came.
    ///
    /// # Errors
    /// The conversation is over.
    pub fn receive(&mut self, bytes: &[u8]) -> Outcome {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Hello { agreement, said } => self.hello(agreement, &said, bytes),
            State::Proof { keys, peer } => self.proof(*keys, peer, bytes),
            State::Terms { secure, key } => self.terms(secure, key, bytes),
            State::Keeping { mut secure } => Err(secure.stop(Stop::Malformed)),
            State::LastWord { mut secure } => match secure.open(bytes)? {
                Sealed::Paired {} => Ok(vec![Output::Paired]),
                _other => Err(secure.stop(Stop::Malformed)),
            },
            State::Over => Err(Ended::silently(Stop::Malformed)),
        }
    }

    /// The connection ended, or the other node is silent: what that means now.
    pub fn left_alone(&self, stop: Stop) -> Stop {
        if matches!(self.state, State::LastWord { .. }) { Stop::NoLastWord } else { stop }
    }

    /// The files are written, or not.
    ///
    /// # Errors
    /// The conversation is over: they are not.
    pub fn kept(&mut self, written: Result<(), String>) -> Outcome {
        match (std::mem::replace(&mut self.state, State::Over), written) {
            (State::Keeping { mut secure }, Ok(())) => {
                let said = secure.seal(&Sealed::Kept {});
                self.state = State::LastWord { secure };
                Ok(vec![said])
            }
            (State::Keeping { mut secure }, Err(why)) => Err(secure.stop(Stop::NotKept(why))),
            (_, _) => Err(Ended::silently(Stop::Malformed)),
        }
    }

    fn hello(&mut self, agreement: Agreement, said: &[u8], bytes: &[u8]) -> Outcome {
        let peer = first_hello(bytes, Side::Inviter).map_err(Ended::silently)?;
        self.own.suits(&peer).map_err(Ended::refusing)?;
        let hellos = Hellos { inviter: bytes, joiner: said };
        let malformed = |_| Ended::refusing(Reason::Malformed {});
        let theirs = unhex(&peer.pake, PAKE_BYTES).ok_or(Malformed).map_err(malformed)?;
        let keys = Box::new(agreement.finish(&theirs, &hellos).map_err(malformed)?);
        let proof = Clear::Proof { proof: hex(&keys.proof()) }.encode();
        let tell = Output::Tell(format!("Proving the code to {}.", peer.node));
        self.state = State::Proof { keys, peer };
        Ok(vec![tell, Output::Send(proof)])
    }

    fn proof(&mut self, keys: Keys, peer: Hello, bytes: &[u8]) -> Outcome {
        let proof = match decode_clear(bytes) {
            Ok(Clear::Proof { proof }) => unhex(&proof, PROOF_BYTES),
            Ok(Clear::Refused(reason)) => return Err(Ended::silently(Stop::Refused(reason))),
            Ok(Clear::Hello(_)) | Err(Malformed) => return Err(Ended::silently(Stop::Malformed)),
        };
        if !proof.is_some_and(|proof| keys.proves(&proof)) {
            return Err(Ended::silently(Stop::NotProved));
        }
        let (line, key) = keys.into_parts();
        let tell = Output::Tell(format!("{} has the code as well.", peer.node));
        let mut secure = Box::new(Secure { line, peer });
        let certificate = hex(self.own.certificate.der());
        let said = secure.seal(&Sealed::Card { certificate });
        self.state = State::Terms { secure, key };
        Ok(vec![tell, said])
    }

    fn terms(
        &mut self,
        mut secure: Box<Secure>,
        key: Zeroizing<[u8; KEY_BYTES]>,
        bytes: &[u8],
    ) -> Outcome {
        let Sealed::Terms { certificate, designation, settings } = secure.open(bytes)? else {
            return Err(secure.stop(Stop::Malformed));
        };
        let peer = secure.certificate(&certificate)?;
        let name = secure.peer.node.clone();
        self.state = State::Keeping { secure };
        Ok(vec![Output::Keep(Box::new(Agreed { peer, name, designation, settings, key }))])
    }
}

//! The side that shows the code: waits for a hello, counts wrong proofs, and says what the
//! pair shall be.

use twinwall_core::config::KEY_BYTES;
use twinwall_core::time::Moment;
use zeroize::Zeroizing;

use super::{
    Agreed, Clear, Ended, Introduction, Malformed, Outcome, Output, PAKE_BYTES, Reason, Sealed,
    Secure, Side, Stop, Terms, first_hello, hex, limit, unhex,
};
use crate::agent::pairing::invitation::Invitation;
use crate::agent::pairing::keys::{Agreement, Hellos, Keys};
use crate::agent::pairing::message::{Hello, PROOF_BYTES, decode_clear};

/// One conversation of the inviter.
pub struct Inviter {
    pub(super) own: Introduction,
    terms: Terms,
    state: State,
}

enum State {
    Hello,
    Proof { keys: Box<Keys>, peer: Hello },
    Card { secure: Box<Secure>, key: Zeroizing<[u8; KEY_BYTES]> },
    Kept { secure: Box<Secure>, agreed: Box<Agreed> },
    Keeping { secure: Box<Secure> },
    Over,
}

impl Inviter {
    /// Somebody connected.
    pub fn new(own: Introduction, terms: Terms) -> Inviter {
        Inviter { own, terms, state: State::Hello }
    }

    /// Longest message that may come now.
    pub fn limit(&self) -> usize {
        limit(!matches!(self.state, State::Hello | State::Proof { .. }))
    }

    /// A message came.
    ///
    /// # Errors
    /// The conversation is over.
    pub fn receive(&mut self, now: Moment, invitation: &mut Invitation, bytes: &[u8]) -> Outcome {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Hello => self.hello(now, invitation, bytes),
            State::Proof { keys, peer } => self.proof(now, invitation, *keys, peer, bytes),
            State::Card { secure, key } => self.card(secure, key, bytes),
            State::Kept { secure, agreed } => self.kept_there(secure, agreed, bytes),
            State::Keeping { mut secure } => Err(secure.stop(Stop::Malformed)),
            State::Over => Err(Ended::silently(Stop::Malformed)),
        }
    }

    /// The files are written, or not.
    ///
    /// # Errors
    /// The conversation is over: they are not.
    pub fn kept(&mut self, written: Result<(), String>) -> Outcome {
        match (std::mem::replace(&mut self.state, State::Over), written) {
            (State::Keeping { mut secure }, Ok(())) => {
                Ok(vec![secure.seal(&Sealed::Paired {}), Output::Paired])
            }
            (State::Keeping { mut secure }, Err(why)) => Err(secure.stop(Stop::NotKept(why))),
            (_, _) => Err(Ended::silently(Stop::Malformed)),
        }
    }

    fn hello(&mut self, now: Moment, invitation: &Invitation, bytes: &[u8]) -> Outcome {
        invitation.check(now).map_err(Ended::refusing)?;
        let peer = first_hello(bytes, Side::Joiner).map_err(|stop| match stop {
            Stop::Malformed => Ended::refusing(Reason::Malformed {}),
            stop => Ended::silently(stop),
        })?;
        self.own.suits(&peer).map_err(Ended::refusing)?;
        let (agreement, pake) = Agreement::start(Side::Inviter, invitation.code());
        let said = self.own.hello(Side::Inviter, &pake);
        let hellos = Hellos { inviter: &said, joiner: bytes };
        let malformed = |_| Ended::refusing(Reason::Malformed {});
        let theirs = unhex(&peer.pake, PAKE_BYTES).ok_or(Malformed).map_err(malformed)?;
        let keys = Box::new(agreement.finish(&theirs, &hellos).map_err(malformed)?);
        let tell = Output::Tell(format!("{} wants to join.", peer.node));
        self.state = State::Proof { keys, peer };
        Ok(vec![tell, Output::Send(said)])
    }

    /// Only a proof counts as an attempt: without one the sender has learned nothing about
    /// the code.
    fn proof(
        &mut self,
        now: Moment,
        invitation: &mut Invitation,
        keys: Keys,
        peer: Hello,
        bytes: &[u8],
    ) -> Outcome {
        let Ok(Clear::Proof { proof }) = decode_clear(bytes) else {
            return Err(Ended::refusing(Reason::Malformed {}));
        };
        invitation.check(now).map_err(Ended::refusing)?;
        let proof = unhex(&proof, PROOF_BYTES);
        if !proof.is_some_and(|proof| keys.proves(&proof)) {
            let left = invitation.wrong();
            return Err(Ended::refusing(Reason::WrongCode { left }));
        }
        invitation.take(now).map_err(Ended::refusing)?;
        let answer = Clear::Proof { proof: hex(&keys.proof()) }.encode();
        let (line, key) = keys.into_parts();
        let tell = Output::Tell(format!("{} has the right code.", peer.node));
        self.state = State::Card { secure: Box::new(Secure { line, peer }), key };
        Ok(vec![Output::Send(answer), tell])
    }

    fn card(
        &mut self,
        mut secure: Box<Secure>,
        key: Zeroizing<[u8; KEY_BYTES]>,
        bytes: &[u8],
    ) -> Outcome {
        let Sealed::Card { certificate } = secure.open(bytes)? else {
            return Err(secure.stop(Stop::Malformed));
        };
        let peer = secure.certificate(&certificate)?;
        let said = secure.seal(&Sealed::Terms {
            certificate: hex(self.own.certificate.der()),
            designation: self.terms.own.other(),
            settings: self.terms.settings.clone(),
        });
        let agreed = Box::new(Agreed {
            peer,
            name: secure.peer.node.clone(),
            designation: self.terms.own,
            settings: self.terms.settings.clone(),
            key,
        });
        self.state = State::Kept { secure, agreed };
        Ok(vec![said])
    }

    fn kept_there(
        &mut self,
        mut secure: Box<Secure>,
        agreed: Box<Agreed>,
        bytes: &[u8],
    ) -> Outcome {
        let Sealed::Kept {} = secure.open(bytes)? else {
            return Err(secure.stop(Stop::Malformed));
        };
        self.state = State::Keeping { secure };
        Ok(vec![Output::Keep(agreed)])
    }
}

//! A filter that runs in the kernel for each event, so that the many that say nothing new
//! wake nobody. Of TCP it lets pass only what begins or ends a connection for us: an update
//! to ESTABLISHED, TIME_WAIT or CLOSE, and the end of one that was not said to be over.

use std::io;

use twinwall_netlink::number::SUBSYS_CONNTRACK;
use twinwall_netlink::socket::Socket;

use super::number::{
    CTA_PROTO_NUM, CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE, CTA_TUPLE_ORIG,
    CTA_TUPLE_PROTO, MSG_DELETE, MSG_NEW,
};
use crate::flow::tcp_state;
use crate::tuple::protocol;

// Instructions of the classic packet filter (`linux/bpf_common.h`).
const LOAD_HALF: u16 = 0x28;
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE_AT_X: u16 = 0x50;
const LOAD_NUMBER: u16 = 0x00;
const LOAD_X_NUMBER: u16 = 0x01;
const TO_X: u16 = 0x07;
const FROM_X: u16 = 0x87;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// Loads the offset of the attribute of type X that follows offset A (SKF_AD_NLATTR).
const FIND: u32 = (-0x1000i32 + 12).cast_unsigned();
/// The same inside the attribute at offset A (SKF_AD_NLATTR_NEST).
const FIND_INSIDE: u32 = (-0x1000i32 + 16).cast_unsigned();

/// Offset of a message's type, and of its first attribute.
const TYPE: u32 = 4;
const ATTRIBUTES: u32 = 20;

/// Jumps to the end, put right once it is known.
const ACCEPT: u8 = 254;
const DROP: u8 = 255;

/// Lets only events of interest into the socket from now on.
///
/// # Errors
/// What the kernel says.
pub(super) fn attach(socket: &Socket) -> io::Result<()> {
    let mut program = program();
    let length = u16::try_from(program.len()).unwrap_or(u16::MAX);
    let whole = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // The kernel copies the program during the call.
    socket.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &whole)
}

fn step(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

fn equal(k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: JUMP_EQUAL, jt, jf, k }
}

/// A type as a big-endian load finds it: the kernel writes it in host order.
fn of_type(kind: u16) -> u32 {
    u32::from(u16::from_be_bytes((SUBSYS_CONNTRACK << 8 | kind).to_ne_bytes()))
}

/// Goes to the attribute along `path`, first from the message's beginning; without it the
/// message is let pass. The attribute's first byte is loaded.
fn byte_at(program: &mut Vec<libc::sock_filter>, path: [u16; 3]) {
    program.push(step(LOAD_NUMBER, ATTRIBUTES));
    for (place, kind) in path.into_iter().enumerate() {
        program.push(step(LOAD_X_NUMBER, u32::from(kind)));
        program.push(step(LOAD_WORD, if place == 0 { FIND } else { FIND_INSIDE }));
        program.push(equal(0, ACCEPT, 0));
    }
    program.push(step(TO_X, 0));
    program.push(step(LOAD_BYTE_AT_X, 4));
}

fn program() -> Vec<libc::sock_filter> {
    use tcp_state::{CLOSE, CLOSE_WAIT, ESTABLISHED, FIN_WAIT, LAST_ACK, TIME_WAIT};
    let mut program = vec![
        step(LOAD_HALF, TYPE),
        equal(of_type(MSG_NEW), 1, 0),
        equal(of_type(MSG_DELETE), 0, ACCEPT),
    ];
    byte_at(&mut program, [CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM]);
    program.push(equal(u32::from(protocol::TCP), 0, ACCEPT));
    byte_at(&mut program, [CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE]);
    let updates = [ESTABLISHED, TIME_WAIT, CLOSE];
    let ends = [ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK];
    program.push(step(TO_X, 0));
    program.push(step(LOAD_HALF, TYPE));
    program.push(equal(of_type(MSG_DELETE), updates.len() as u8 + 1, 0));
    for states in [&updates[..], &ends[..]] {
        program.push(step(FROM_X, 0));
        for (place, state) in states.iter().enumerate() {
            let last = place + 1 == states.len();
            program.push(equal(u32::from(*state), ACCEPT, if last { DROP } else { 0 }));
        }
    }
    let accept = program.len();
    program.push(step(RETURN, u32::MAX));
    program.push(step(RETURN, 0));
    for (place, step) in program.iter_mut().enumerate().filter(|(_, s)| s.code == JUMP_EQUAL) {
        for jump in [&mut step.jt, &mut step.jf] {
            let ends = [(ACCEPT, accept), (DROP, accept + 1)];
            if let Some((_, end)) = ends.iter().find(|(mark, _)| *mark == *jump) {
                *jump = u8::try_from(end - place - 1).unwrap_or(0);
            }
        }
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_lands_inside_and_the_end_is_a_verdict() {
        let program = program();
        for (place, step) in program.iter().enumerate() {
            if step.code == JUMP_EQUAL {
                for jump in [step.jt, step.jf] {
                    assert!(place + 1 + usize::from(jump) < program.len());
                }
            }
        }
        let ends: Vec<_> = program.iter().filter(|step| step.code == RETURN).collect();
        assert_eq!(ends.len(), 2);
    }
}

//! Writes what the subagent says, always in network byte order.

use super::{HAS_CONTEXT, HEADER, NETWORK_ORDER, VERSION, kind};
use crate::agent::snmp::value::{Oid, Value};

/// A value and what it is the value of, as it goes out.
pub type Varbind = (Oid, Value);

/// What the subagent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// Begin a session; snmpd waits so many seconds for answers.
    Open {
        /// Seconds.
        timeout: u8,
        /// Who this is, for people.
        about: &'a str,
    },
    /// From here on this subagent answers for what lies below a name.
    Register {
        /// In this context; empty for the default one.
        context: &'a str,
        /// The name.
        below: &'a Oid,
    },
    /// It does not any more.
    Unregister {
        /// In this context.
        context: &'a str,
        /// The name.
        below: &'a Oid,
    },
    /// Send this to the managers.
    Notify {
        /// What, beginning with snmpTrapOID.0.
        varbinds: &'a [Varbind],
    },
    /// An answer.
    Response {
        /// Why it was not done, as RFC 2741 and RFC 3416 number it; 0 where it was.
        error: u16,
        /// At which of the objects, from 1.
        index: u16,
        /// The values.
        varbinds: &'a [Varbind],
    },
    /// End the session.
    Close,
}

/// Which message it is; an answer has the numbers of its question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The session.
    pub session: u32,
    /// The transaction.
    pub transaction: u32,
    /// The packet.
    pub packet: u32,
}

/// The bytes of a message.
pub fn encode(order: &Order<'_>, numbers: Numbers) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(256));
    let (kind, context) = match order {
        Order::Open { .. } => (kind::OPEN, ""),
        Order::Register { context, .. } => (kind::REGISTER, *context),
        Order::Unregister { context, .. } => (kind::UNREGISTER, *context),
        Order::Notify { .. } => (kind::NOTIFY, ""),
        Order::Response { .. } => (kind::RESPONSE, ""),
        Order::Close => (kind::CLOSE, ""),
    };
    let flags = if context.is_empty() { NETWORK_ORDER } else { NETWORK_ORDER | HAS_CONTEXT };
    out.0.extend([VERSION, kind, flags, 0]);
    for number in [numbers.session, numbers.transaction, numbers.packet, 0] {
        out.number(number);
    }
    if !context.is_empty() {
        out.bytes(context.as_bytes());
    }
    out.content(order);
    let length = (out.0.len() - HEADER) as u32;
    out.0[HEADER - 4..HEADER].copy_from_slice(&length.to_be_bytes());
    out.0
}

/// Among subagents that answer for the same the lowest number does (section 6.2.3).
const PRIORITY: u8 = 127;
/// The region's own timeout: that of the session holds.
const SESSION_TIMEOUT: u8 = 0;
/// Reason of a close: the subagent ends.
const SHUTDOWN: u8 = 5;

struct Writer(Vec<u8>);

impl Writer {
    fn content(&mut self, order: &Order<'_>) {
        match order {
            Order::Open { timeout, about } => {
                self.0.extend([*timeout, 0, 0, 0]);
                self.name(&Oid::default());
                self.bytes(about.as_bytes());
            }
            Order::Register { below, .. } => {
                self.0.extend([SESSION_TIMEOUT, PRIORITY, 0, 0]);
                self.name(below);
            }
            Order::Unregister { below, .. } => {
                self.0.extend([0, PRIORITY, 0, 0]);
                self.name(below);
            }
            Order::Notify { varbinds } => self.varbinds(varbinds),
            Order::Response { error, index, varbinds } => {
                self.number(0);
                self.0.extend(error.to_be_bytes());
                self.0.extend(index.to_be_bytes());
                self.varbinds(varbinds);
            }
            Order::Close => self.0.extend([SHUTDOWN, 0, 0, 0]),
        }
    }

    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u32);
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn name(&mut self, name: &Oid) {
        self.0.extend([name.arcs().len() as u8, 0, 0, 0]);
        name.arcs().iter().for_each(|arc| self.number(*arc));
    }

    fn varbinds(&mut self, varbinds: &[Varbind]) {
        for (name, value) in varbinds {
            self.0.extend(tag(value).to_be_bytes());
            self.0.extend([0, 0]);
            self.name(name);
            match value {
                Value::Integer(number) => self.number(*number as u32),
                Value::Bytes(bytes) | Value::Opaque(bytes) => self.bytes(bytes),
                Value::Name(other) => self.name(other),
                Value::Address(address) => self.bytes(address),
                Value::Counter(number) | Value::Gauge(number) | Value::Ticks(number) => {
                    self.number(*number);
                }
                Value::Counter64(number) => self.0.extend(number.to_be_bytes()),
                Value::Null | Value::NoObject | Value::NoInstance | Value::End => {}
            }
        }
    }
}

/// Its number (section 5.4).
fn tag(value: &Value) -> u16 {
    match value {
        Value::Integer(_) => 2,
        Value::Bytes(_) => 4,
        Value::Null => 5,
        Value::Name(_) => 6,
        Value::Address(_) => 64,
        Value::Counter(_) => 65,
        Value::Gauge(_) => 66,
        Value::Ticks(_) => 67,
        Value::Opaque(_) => 68,
        Value::Counter64(_) => 70,
        Value::NoObject => 128,
        Value::NoInstance => 129,
        Value::End => 130,
    }
}

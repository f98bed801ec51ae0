//! The process that speaks with snmpd, `twinwall snmp`: an AgentX subagent that serves
//! TWINWALL-MIB and, in a context for each node, that node's own objects, and hands notifications
//! to snmpd. A client of the agent with a user of its own; it reads no file of twinwall's, changes
//! nothing, and may hang or die: the role does not move.

pub mod agentx;
mod answer;
mod held;
pub mod mib;
mod moment;
mod notify;
mod remote;
mod serve;
mod session;

pub use serve::{ServeError, serve};

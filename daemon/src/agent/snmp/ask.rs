//! Asks this node's own snmpd on the loopback, read-only and with a community that only this
//! node knows. For the other node's managers: its agent asks for them. Bounded in time and
//! length; it never asks another machine.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::ber::{Answer, Question, decode_answer, encode};
use super::value::{Binding, Oid};
use super::view::{Answered, Ask};
use crate::agent::api::error::Refusal;

/// Names in one question at the most: a manager asks for some dozen at a time.
pub const MAX_NAMES: usize = 64;
/// Values that follow in one answer at the most: they all fit one datagram of the loopback.
pub const MAX_REPETITIONS: u16 = 64;
/// How long snmpd may take: some of its tables are read anew for a question.
const PATIENCE: Duration = Duration::from_millis(900);
/// Largest answer in bytes: that of a datagram.
const DATAGRAM: usize = 64 << 10;
/// Bytes of the values in an answer at the most, well below what the other node takes.
const MAX_VALUES: usize = 128 << 10;

/// Where this node's snmpd listens, and how it lets twinwall read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its address on this node.
    pub at: SocketAddr,
    /// Its community for twinwall; a secret.
    pub community: Community,
}

/// A community. It shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Community(pub(super) String);

impl std::fmt::Debug for Community {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Community(secret)")
    }
}

/// Whether a question is within its limits.
///
/// # Errors
/// Which one it breaks.
pub fn check(ask: &Ask) -> Result<(), Refusal> {
    if ask.get.len() > MAX_NAMES || ask.repetitions > MAX_REPETITIONS {
        return Err(Refusal::invalid(format!(
            "too much at a time; ask for at most {MAX_NAMES} names and {MAX_REPETITIONS} that follow"
        )));
    }
    Ok(())
}

/// Asks.
///
/// # Errors
/// When it does not answer, or not as it should.
pub(super) async fn ask(access: &Access, ask: &Ask) -> Result<Answered, Refusal> {
    check(ask)?;
    let socket = open(access.at).await.map_err(|error| silent(access, &error.to_string()))?;
    let mut answered = Answered::default();
    if !ask.get.is_empty() {
        let answer = exchange(&socket, access, 1, &Question::Get(&ask.get)).await?;
        answered.got = answer.bindings;
    }
    if let Some(after) = &ask.after {
        let names: [Oid; 1] = [after.clone()];
        let question = Question::Bulk(&names, ask.repetitions.max(1));
        answered.following = exchange(&socket, access, 2, &question).await?.bindings;
    }
    cut(&mut answered);
    Ok(answered)
}

async fn open(at: SocketAddr) -> std::io::Result<UdpSocket> {
    let own: SocketAddr = match at {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own).await?;
    // Only what comes from there is heard.
    socket.connect(at).await?;
    Ok(socket)
}

async fn exchange(
    socket: &UdpSocket,
    access: &Access,
    number: i32,
    question: &Question<'_>,
) -> Result<Answer, Refusal> {
    let message = encode(access.community.0.as_bytes(), number, question);
    let exchanged = async {
        socket.send(&message).await?;
        let mut bytes = vec![0; DATAGRAM];
        loop {
            let length = socket.recv(&mut bytes).await?;
            let answer = decode_answer(&bytes[..length]);
            if let Some(answer) = answer.filter(|answer| answer.number == number) {
                return Ok::<Answer, std::io::Error>(answer);
            }
        }
    };
    match timeout(PATIENCE, exchanged).await {
        Ok(Ok(answer)) if answer.error == 0 => Ok(answer),
        Ok(Ok(answer)) => Err(silent(access, &format!("it refused with error {}", answer.error))),
        Ok(Err(error)) => Err(silent(access, &error.to_string())),
        Err(_) => Err(silent(access, &format!("no answer within {} ms", PATIENCE.as_millis()))),
    }
}

/// What is beyond the limit is asked for again, from the last value on.
fn cut(answered: &mut Answered) {
    let (mut room, mut kept) = (MAX_VALUES, 0);
    for binding in answered.got.iter().chain(&answered.following) {
        let size = binding_size(binding);
        if size > room {
            break;
        }
        (room, kept) = (room - size, kept + 1);
    }
    let got = answered.got.len();
    answered.got.truncate(kept);
    answered.following.truncate(kept.saturating_sub(got));
}

fn binding_size(binding: &Binding) -> usize {
    serde_json::to_vec(binding).map_or(0, |text| text.len()) + 1
}

fn silent(access: &Access, why: &str) -> Refusal {
    Refusal::unreachable(format!(
        "this node's snmpd does not answer at {}: {why}; look at 'systemctl status snmpd'",
        access.at
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::snmp::value::Value;

    #[test]
    fn no_question_is_larger_than_its_limits() {
        let ask =
            |names, repetitions| Ask { get: vec![Oid::default(); names], after: None, repetitions };
        assert_eq!(check(&ask(MAX_NAMES, MAX_REPETITIONS)), Ok(()));
        assert!(check(&ask(MAX_NAMES + 1, 0)).is_err());
        assert!(check(&ask(0, MAX_REPETITIONS + 1)).is_err());
    }

    #[test]
    fn an_answer_is_cut_where_the_other_node_would_not_take_it() {
        let long = Binding { name: Oid::of(&[1, 3]), value: Value::Bytes(vec![7; 4000]) };
        let mut answered = Answered { got: vec![long.clone(); 2], following: vec![long; 64] };
        cut(&mut answered);
        assert_eq!(answered.got.len(), 2);
        assert!((10..20).contains(&answered.following.len()), "{}", answered.following.len());
        let text = serde_json::to_vec(&answered).expect("written");
        assert!(text.len() < crate::agent::calls::MAX_CALL / 2, "{}", text.len());
    }

    #[tokio::test]
    async fn an_agent_that_is_not_there_is_told_with_what_to_do() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
        let at = closed.local_addr().expect("an address");
        drop(closed);
        let access = Access { at, community: Community("secret-word".to_owned()) };
        let question = Ask { get: vec![Oid::of(&[1, 3])], after: None, repetitions: 0 };
        let refused = ask(&access, &question).await.expect_err("nobody listens");
        assert!(refused.message.contains("systemctl status snmpd"), "{}", refused.message);
        assert!(!refused.message.contains("secret-word"));
        assert!(!format!("{access:?}").contains("secret-word"));
    }
}

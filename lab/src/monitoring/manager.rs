//! The manager: asks the virtual IP by SNMP, several times a second, with Debian's own tool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twinwall_core::time::Moment;

use super::Monitored;
use crate::clock;
use crate::error::{LabError, Result};
use crate::plan;
use crate::worker::Worker;

/// `sysDescr.0`, which every snmpd has.
pub(super) const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
/// Which node is active, of TWINWALL-MIB.
const ACTIVE: &str = "1.3.6.1.4.1.32473.1.1.1.5.0";
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// How long an answer may take; managers ask again after a second or more.
const PATIENCE: &str = "0.3";

/// One that asks until it is ended.
pub struct Manager {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Question>>,
}

/// When it was answered, or gave up, and which node it was told to be active.
struct Question {
    at: Moment,
    told: Option<String>,
}

impl Manager {
    /// Begins.
    pub fn begin(client: &Worker) -> Manager {
        let ends = Arc::new(AtomicBool::new(false));
        let (ending, client) = (Arc::clone(&ends), client.clone());
        let thread = thread::spawn(move || {
            let mut all = Vec::new();
            while !ending.load(Ordering::Relaxed) {
                let told = ask(&client, "public", ACTIVE);
                all.push(Question { at: clock::now(), told });
                thread::sleep(PAUSE);
            }
            all
        });
        Manager { ends, thread }
    }

    /// Ends; what it saw.
    pub fn end(self) -> Result<Monitored> {
        self.ends.store(true, Ordering::Relaxed);
        let all = self.thread.join();
        let all = all.map_err(|_| LabError::Usage("the thread of the manager died".to_owned()))?;
        Ok(seen(&all))
    }
}

fn seen(all: &[Question]) -> Monitored {
    let answers: Vec<Moment> = all.iter().filter(|it| it.told.is_some()).map(|it| it.at).collect();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    // Until the last question, so that a silence that goes on counts.
    let ends = answers.iter().skip(1).copied().chain(all.last().map(|it| it.at));
    let gaps = answers.iter().zip(ends).map(|(from, to)| to.since(*from));
    let silence = gaps.max().unwrap_or_default();
    Monitored {
        asked: count(all.len()),
        answered: count(answers.len()),
        silence_ms: crate::result::millis(silence),
        ..Monitored::default()
    }
}

/// A value at the virtual IP; none without an answer.
pub(super) fn ask(client: &Worker, community: &str, name: &str) -> Option<String> {
    let vip = plan::LAN_VIP.to_string();
    let words = ["MIBS=", "snmpget", "-v2c", "-c", community, "-Oqv", "-t", PATIENCE, "-r", "0"];
    let words = [&words[..], &[&vip, name]].concat();
    let said = client.command("env", &words, String::new()).ok()?;
    let value = said.trim().trim_matches('"').to_owned();
    (!value.is_empty() && !value.starts_with("No ")).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_counts_also_when_it_goes_on() {
        let question = |ms, told: bool| Question {
            at: Moment::from_millis(ms),
            told: told.then(|| "gw-a".to_owned()),
        };
        let heals =
            [question(0, true), question(100, true), question(500, false), question(900, true)];
        let told = seen(&heals);
        assert_eq!((told.asked, told.answered, told.silence_ms), (4, 3, 800.0));
        let stays = [question(0, true), question(100, true), question(2100, false)];
        assert_eq!(seen(&stays).silence_ms, 2000.0);
        assert_eq!(seen(&[]), Monitored::default());
    }
}

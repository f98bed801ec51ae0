//! Figures: what orders cost, and how exactly a lease ends. Run with `--nocapture` to see them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use twinwall_guard::gate::GateSpec;

use crate::net::{Lab, Space, gate, ms, open, spec};

/// Trials for each length, unless `GATE_TRIALS` says how many.
const TRIALS: u32 = 12;
/// Gates that take turns: the kernel refuses more than sixteen openings a second.
const GATES: usize = 4;
/// T − L: what a lease that ends late eats into.
const MARGIN_MS: f64 = 10.0;

/// As the guard's beat thread runs; one figure at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let priority = libc::sched_param { sched_priority: 50 };
    // SAFETY: a valid sched_param; concerns this thread only.
    let done = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const priority)
    };
    assert_eq!(done, 0);
    guard
}

/// How much later than asked (negative: earlier) a lease ended, in milliseconds, over all trials.
fn ends(lease: Duration, trials: u32) -> Vec<f64> {
    let mut gates: Vec<_> = (0..GATES)
        .map(|_| {
            let space = Space::enter_new();
            (gate(&spec(lease)), space)
        })
        .collect();
    let mut found = Vec::new();
    for trial in 0..trials {
        let ((_, switch), _) = &mut gates[trial as usize % GATES];
        sleep(Duration::from_micros(u64::from(trial * 377 % 4000)));
        assert!(switch.arm());
        let until = Instant::now() + lease;
        // Kept from running for longer than the arming: nothing was measured.
        if !switch.open_gate(until - Instant::now()) {
            continue;
        }
        sleep(lease.saturating_sub(ms(14)));
        // The moment before the last question that was answered with yes.
        let mut alive = Instant::now();
        loop {
            let asked = Instant::now();
            if !switch.answers() {
                break;
            }
            alive = asked;
            sleep(Duration::from_micros(50));
        }
        let late = alive.saturating_duration_since(until).as_secs_f64();
        let early = until.saturating_duration_since(alive).as_secs_f64();
        found.push((late - early) * 1000.0);
    }
    for ((mut table, _), _) in gates {
        table.remove().unwrap();
    }
    found.sort_by(f64::total_cmp);
    found
}

#[test]
fn a_lease_never_ends_later_than_asked() {
    let _alone = alone();
    let trials = std::env::var("GATE_TRIALS").ok().and_then(|text| text.parse().ok());
    for lease in [20, 90, 290] {
        let found = ends(ms(lease), trials.unwrap_or(TRIALS));
        let (first, middle, last) = (found[0], found[found.len() / 2], found[found.len() - 1]);
        let after = |limit: f64| found.iter().filter(|end| **end > limit).count();
        println!(
            "lease of {lease} ms, {} times: ended {first:+.1} .. {middle:+.1} .. {last:+.1} ms after what was asked; {} times after 0.1, {} after 0.5, {} after 1, {} after 2",
            found.len(),
            after(0.1),
            after(0.5),
            after(1.0),
            after(2.0),
        );
        assert!(last < MARGIN_MS, "an answer {last} ms after the end");
        assert!(middle > -9.0, "closed {middle} ms early, more than two ticks");
    }
}

#[test]
fn orders_and_comparisons_are_cheap() {
    let _alone = alone();
    let lab = Lab::new();
    let mut spec = lab.spec(ms(290));
    let (mut table, mut switch) = gate(&spec);
    open(&mut switch, ms(290));
    let rounds = 20_000;
    let began = Instant::now();
    for _ in 0..rounds {
        assert!(switch.renew(|| ms(290)));
    }
    let renew = began.elapsed() / rounds;
    let began = Instant::now();
    table.ensure(&spec).unwrap();
    let same = began.elapsed();
    spec.virtual_ips =
        (0..1000u32).map(|n| std::net::Ipv4Addr::from_bits(0x0a64_0000 + n).into()).collect();
    let began = Instant::now();
    table.ensure(&spec).unwrap();
    let thousand = began.elapsed();
    let began = Instant::now();
    table.ensure(&GateSpec { ..spec.clone() }).unwrap();
    let compared = began.elapsed();
    println!(
        "renew {renew:?}; ensure: no change {same:?}, 1,000 VIPs added {thousand:?}, compared {compared:?}"
    );
    assert!(renew < Duration::from_micros(200), "{renew:?}");
    assert!(thousand < Duration::from_secs(1), "{thousand:?}");
}

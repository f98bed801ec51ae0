//! Chance, for tests that do another thing each time and can do the same once more.

use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers, the same for the same seed (Knuth's multiplicative congruential generator).
#[derive(Debug)]
pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Of this seed (`TWINWALL_SEED`), else another one each time; the seed is told.
    pub(crate) fn from_the_clock() -> Random {
        let seed = std::env::var("TWINWALL_SEED").ok().and_then(|text| text.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let seed = seed.unwrap_or(now);
        println!("seed {seed}");
        Random { seed, state: seed }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let next = self.state.wrapping_mul(6_364_136_223_846_793_005);
        self.state = next.wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % bound.max(1)
    }
}

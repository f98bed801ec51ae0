//! How often something may happen: a bucket for each key, filled again at a steady pace. The
//! number of keys is bounded; of those that fill it, the fullest buckets are forgotten first,
//! because they are as good as new ones.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are remembered.
const MAX_KEYS: usize = 4096;

/// Buckets of one kind.
pub(super) struct Rate<K> {
    burst: f64,
    refill: Duration,
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash + Clone> Rate<K> {
    /// `burst` at once, then one each `refill`.
    pub(super) fn new(burst: u32, refill: Duration) -> Rate<K> {
        Rate { burst: f64::from(burst), refill, buckets: Mutex::default() }
    }

    /// Takes one out of the bucket, or says for how long to wait.
    pub(super) fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(key) && buckets.len() >= MAX_KEYS {
            self.forget(&mut buckets, now);
        }
        let full = Bucket { left: self.burst, at: now };
        let bucket = buckets.entry(key.clone()).or_insert(full);
        bucket.left = self.left(bucket, now);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(self.refill.mul_f64(1.0 - bucket.left));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    fn left(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.at);
        (bucket.left + since.as_secs_f64() / self.refill.as_secs_f64()).min(self.burst)
    }

    fn forget(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        buckets.retain(|_, bucket| self.left(bucket, now) < self.burst);
        if buckets.len() >= MAX_KEYS {
            let fullest = buckets
                .iter()
                .max_by(|one, other| self.left(one.1, now).total_cmp(&self.left(other.1, now)))
                .map(|(key, _)| key.clone());
            fullest.and_then(|key| buckets.remove(&key));
        }
    }
}

/// One visitor: an IPv4 address, or the /64 of an IPv6 one, which one machine has whole.
pub(super) fn visitor(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let mut bytes = six.octets();
            bytes[8..].fill(0);
            IpAddr::from(bytes)
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let rate = Rate::new(3, Duration::from_secs(6));
        let begin = Instant::now();
        let taken = |key, after| rate.take(&key, begin + Duration::from_secs(after)).is_ok();
        assert!(taken(1, 0) && taken(1, 0) && taken(1, 0) && !taken(1, 0));
        assert!(taken(2, 0), "others are not concerned");
        assert_eq!(rate.take(&1, begin), Err(Duration::from_secs(6)));
        assert!(!taken(1, 5) && taken(1, 6) && !taken(1, 6));
        assert!(taken(1, 600) && taken(1, 600) && taken(1, 600) && !taken(1, 600));
    }

    #[test]
    fn many_visitors_cannot_fill_the_memory_nor_free_the_one_that_is_held() {
        let rate = Rate::new(2, Duration::from_secs(60));
        let now = Instant::now();
        assert!(rate.take(&0, now).is_ok() && rate.take(&0, now).is_ok());
        for key in 1..20_000 {
            assert!(rate.take(&key, now).is_ok());
        }
        assert!(rate.take(&0, now).is_err());
        assert!(rate.buckets.lock().expect("no panic").len() <= MAX_KEYS);
    }

    #[test]
    fn a_network_of_one_machine_is_one_visitor() {
        let one = |text: &str| visitor(text.parse().expect("an address"));
        assert_eq!(one("2001:db8::1"), one("2001:db8::ffff"));
        assert_ne!(one("2001:db8::1"), one("2001:db8:0:1::1"));
        assert_eq!(one("::ffff:192.0.2.1"), one("192.0.2.1"));
    }
}

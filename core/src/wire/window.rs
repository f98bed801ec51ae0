//! Which frame counters of one path were seen: a sliding window of [`WIDTH`]
//! bits below the highest one, as in RFC 4303 section 3.4.3. Used by the session,
//! after a frame proved authentic.

/// How far a frame may be overtaken. Beats of one path travel through one queue,
/// so that real networks reorder a few at the most.
pub(super) const WIDTH: u64 = 128;

/// What the window says about a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not seen yet.
    Fresh,
    /// Seen before.
    Duplicate,
    /// Further back than the window remembers.
    TooOld,
}

/// The counters seen on one path of one session. Counters start at 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: u64,
    /// Bit n: `highest - n` was seen.
    seen: u128,
}

impl Window {
    /// Whether `counter` was seen, without remembering it.
    pub(super) fn look(&self, counter: u64) -> Seen {
        if counter > self.highest {
            return Seen::Fresh;
        }
        let behind = self.highest - counter;
        if counter == 0 || behind >= WIDTH {
            Seen::TooOld
        } else if self.seen & (1 << behind) != 0 {
            Seen::Duplicate
        } else {
            Seen::Fresh
        }
    }

    /// Remembers `counter`; a no-op unless [`Window::look`] said `Fresh`.
    pub(super) fn mark(&mut self, counter: u64) {
        if counter > self.highest {
            let ahead = counter - self.highest;
            self.seen = if ahead >= WIDTH { 0 } else { self.seen << ahead };
            self.highest = counter;
            self.seen |= 1;
        } else if self.look(counter) == Seen::Fresh {
            self.seen |= 1 << (self.highest - counter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_passes_once_within_the_window() {
        let mut window = Window::default();
        for counter in [1, 3, 2, 130, 129, 4] {
            assert_eq!(window.look(counter), Seen::Fresh, "{counter}");
            window.mark(counter);
            assert_eq!(window.look(counter), Seen::Duplicate, "{counter}");
        }
    }

    #[test]
    fn the_window_ends_after_its_width() {
        let mut window = Window::default();
        window.mark(1000);
        assert_eq!(window.look(1000 - WIDTH + 1), Seen::Fresh);
        assert_eq!(window.look(1000 - WIDTH), Seen::TooOld);
        window.mark(1000 + WIDTH - 1);
        assert_eq!(window.look(1000), Seen::Duplicate);
        window.mark(1000 + WIDTH);
        assert_eq!(window.look(1000), Seen::TooOld);
    }

    #[test]
    fn zero_never_passes_and_the_largest_counter_does() {
        let mut window = Window::default();
        assert_eq!(window.look(0), Seen::TooOld);
        window.mark(u64::MAX);
        assert_eq!(window.look(u64::MAX), Seen::Duplicate);
        assert_eq!(window.look(u64::MAX - 1), Seen::Fresh);
        assert_eq!(window.look(0), Seen::TooOld);
    }
}

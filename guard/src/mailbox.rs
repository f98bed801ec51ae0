//! How other threads reach the beat thread: a bounded box and a wake.
//!
//! The beat thread never waits for the lock: while somebody else holds it, the
//! mail is taken a millisecond later. Realtime threads have a box of their own,
//! so that a starved ordinary thread inside the lock cannot delay theirs.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, TryLockError};

use crate::syscall::Wake;

/// Letters that wait at the most; one more is turned away and its sender told.
pub const MAX_MAIL: usize = 256;

/// The sending end.
#[derive(Debug)]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { shared: Arc::clone(&self.shared) }
    }
}

/// The beat thread's end.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    letters: Mutex<VecDeque<T>>,
    wake: Wake,
}

/// What a look into the box found.
#[derive(Debug)]
pub enum Taken<T> {
    /// A letter.
    Letter(T),
    /// Nothing.
    Nothing,
    /// Somebody holds the lock: look again in a moment.
    Busy,
}

/// A new box.
///
/// # Errors
/// When the kernel gives no eventfd.
pub fn mailbox<T>() -> io::Result<(Sender<T>, Receiver<T>)> {
    let letters = Mutex::new(VecDeque::with_capacity(MAX_MAIL));
    let shared = Arc::new(Shared { letters, wake: Wake::new()? });
    Ok((Sender { shared: Arc::clone(&shared) }, Receiver { shared }))
}

impl<T> Sender<T> {
    /// Puts a letter in. `false`: the box is full.
    pub fn send(&self, letter: T) -> bool {
        let mut letters =
            self.shared.letters.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if letters.len() >= MAX_MAIL {
            return false;
        }
        letters.push_back(letter);
        drop(letters);
        self.shared.wake.wake();
        true
    }
}

impl<T> Receiver<T> {
    /// Takes one letter, without ever waiting.
    pub fn take(&self) -> Taken<T> {
        let mut letters = match self.shared.letters.try_lock() {
            Ok(letters) => letters,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Taken::Busy,
        };
        letters.pop_front().map_or(Taken::Nothing, Taken::Letter)
    }

    /// Forgets the wakes so far; call it before taking letters.
    pub fn clear(&self) {
        self.shared.wake.clear();
    }
}

impl<T> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_box_turns_letters_away_and_keeps_the_order() {
        let (sender, receiver) = mailbox().expect("an eventfd");
        for number in 0..MAX_MAIL {
            assert!(sender.send(number));
        }
        assert!(!sender.send(MAX_MAIL));
        for number in 0..MAX_MAIL {
            assert!(matches!(receiver.take(), Taken::Letter(found) if found == number));
        }
        assert!(matches!(receiver.take(), Taken::Nothing));
    }

    #[test]
    fn a_held_lock_is_busy_and_never_waited_for() {
        let (sender, receiver) = mailbox::<u8>().expect("an eventfd");
        let held = sender.shared.letters.lock();
        assert!(matches!(receiver.take(), Taken::Busy));
        drop(held);
        assert!(matches!(receiver.take(), Taken::Nothing));
    }
}

//! One invitation: one code, ten minutes, one use, three wrong codes in all, however many
//! nodes try at the same time. Shared by the conversations of an invitation; it has no clock.

use std::time::Duration;

use twinwall_core::time::Moment;

use super::code::Code;
use super::message::Reason;

/// How long a code can be used.
pub const LIFE: Duration = Duration::from_secs(600);
/// Wrong codes until nobody can use the invitation any more.
pub const ATTEMPTS: u8 = 3;

/// An invitation as it stands.
#[derive(Debug)]
pub struct Invitation {
    code: Code,
    until: Moment,
    left: u8,
    used: bool,
}

impl Invitation {
    /// A fresh one, from `now` on.
    pub fn new(code: Code, now: Moment) -> Invitation {
        Invitation { code, until: now + LIFE, left: ATTEMPTS, used: false }
    }

    /// What is shown to the administrator.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// When it ends by itself.
    pub fn until(&self) -> Moment {
        self.until
    }

    /// Whether somebody may still try.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: Moment) -> Result<(), Reason> {
        if self.used {
            Err(Reason::Used {})
        } else if self.left == 0 {
            Err(Reason::WrongCode { left: 0 })
        } else if now >= self.until {
            Err(Reason::Expired {})
        } else {
            Ok(())
        }
    }

    /// Somebody used a wrong code; says how many more may.
    pub(super) fn wrong(&mut self) -> u8 {
        self.left = self.left.saturating_sub(1);
        self.left
    }

    /// Somebody proved that he has the code: it is his from now on.
    ///
    /// # Errors
    /// When it is nobody's any more.
    pub(super) fn take(&mut self, now: Moment) -> Result<(), Reason> {
        self.check(now)?;
        self.used = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(5_000);

    fn fresh() -> Invitation {
        Invitation::new(Code::of([1; 8]), NOW)
    }

    #[test]
    fn three_wrong_codes_end_it_also_for_the_right_one() {
        let mut invitation = fresh();
        assert_eq!([2, 1, 0], [(); 3].map(|()| invitation.wrong()));
        assert_eq!(invitation.take(NOW), Err(Reason::WrongCode { left: 0 }));
        assert_eq!(invitation.wrong(), 0);
    }

    #[test]
    fn it_can_be_used_once_and_for_ten_minutes() {
        let mut invitation = fresh();
        let end = NOW + LIFE;
        assert_eq!(invitation.check(end.before(Duration::from_nanos(1))), Ok(()));
        assert_eq!(invitation.take(end), Err(Reason::Expired {}));
        assert_eq!(invitation.take(NOW), Ok(()));
        assert_eq!(invitation.take(NOW), Err(Reason::Used {}));
    }
}

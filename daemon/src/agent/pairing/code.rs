//! The one-time code that an administrator carries from one node to the other: short enough
//! to say on the phone, long enough for the few tries that an invitation allows. It is a
//! password for the key agreement and never travels itself.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// What it is made of: no two signs look alike (no I, O, 0, 1).
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Signs of a code: 40 bits. One try in [`super::invitation::ATTEMPTS`] hits by luck once
/// in 366 thousand million invitations.
const SIGNS: usize = 8;
/// Signs of a group, for the eye.
const GROUP: usize = 4;

/// A code. Forgotten (overwritten) when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<[u8; SIGNS]>);

/// A text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotACode {
    /// So many signs.
    Length(usize),
    /// A sign that no code has.
    Sign(char),
}

impl fmt::Display for NotACode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotACode::Length(signs) => write!(
                out,
                "a code has {SIGNS} signs, as ABCD-2345, and this has {signs}; copy the one that the \
                 other node shows"
            ),
            NotACode::Sign(sign) => write!(
                out,
                "'{sign}' stands in no code (nor do I, O, 0 and 1); look again at what the other node \
                 shows"
            ),
        }
    }
}

impl std::error::Error for NotACode {}

impl Code {
    /// The code of these random bits; each sign takes five of a byte of its own.
    pub fn of(random: [u8; SIGNS]) -> Code {
        Code(Zeroizing::new(random.map(|byte| ALPHABET[usize::from(byte % 32)])))
    }

    /// What the key agreement takes as password.
    pub(super) fn password(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, sign) in self.0.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                out.write_str("-")?;
            }
            write!(out, "{}", char::from(*sign))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Code(secret)")
    }
}

impl FromStr for Code {
    type Err = NotACode;

    /// Reads what somebody typed: small letters, spaces and lines between groups are fine.
    fn from_str(text: &str) -> Result<Code, NotACode> {
        let mut signs = Zeroizing::new([0; SIGNS]);
        let mut length = 0;
        for sign in text.chars().filter(|sign| !sign.is_whitespace() && *sign != '-') {
            let upper = sign.to_ascii_uppercase();
            let known = ALPHABET.iter().find(|one| char::from(**one) == upper);
            let known = known.ok_or(NotACode::Sign(sign))?;
            if let Some(place) = signs.get_mut(length) {
                *place = *known;
            }
            length += 1;
        }
        if length == SIGNS { Ok(Code(signs)) } else { Err(NotACode::Length(length)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_however_it_is_typed() {
        let code = Code::of([0, 31, 32, 7, 255, 8, 9, 10]);
        assert_eq!(code.to_string(), "A9AH-9JKL");
        for typed in ["A9AH-9JKL", "a9ah9jkl", " a9ah 9jkl\n"] {
            assert_eq!(typed.parse(), Ok(code.clone()));
        }
        assert_eq!(format!("{code:?}"), "Code(secret)");
    }

    #[test]
    fn what_is_no_code_says_why() {
        assert_eq!("ABCD-234".parse::<Code>(), Err(NotACode::Length(7)));
        assert_eq!("ABCD-23456".parse::<Code>(), Err(NotACode::Length(9)));
        assert_eq!("".parse::<Code>(), Err(NotACode::Length(0)));
        assert_eq!("ABCD-234O".parse::<Code>(), Err(NotACode::Sign('O')));
        assert_eq!("ABCD-234é".parse::<Code>(), Err(NotACode::Sign('é')));
    }
}

//! A place in both logs at once: where a page ended, and the next one, or a live tail, goes on.

use std::fmt;
use std::str::FromStr;

use crate::agent::logs::store::{Origin, Reader};

/// A place in one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of a line: what is below it is older, the line itself and what is above it newer.
    pub(super) before: u64,
    /// So many lines of the part that ends there were taken already, the latest first.
    pub(super) taken: usize,
}

/// A place of each origin. As text `120-84`, or `120.17-84` within a part, which is to be handed
/// back as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    here: Place,
    there: Place,
}

impl Cursor {
    /// Behind the newest line of both.
    pub(super) fn newest(reader: &Reader) -> Cursor {
        let behind = |origin| {
            let before = reader.last(origin).map_or(0, |last| last.saturating_add(1));
            Place { before, taken: 0 }
        };
        Cursor { here: behind(Origin::Here), there: behind(Origin::There) }
    }

    pub(super) fn of(&self, origin: Origin) -> Place {
        match origin {
            Origin::Here => self.here,
            Origin::There => self.there,
        }
    }

    pub(super) fn set(&mut self, origin: Origin, place: Place) {
        match origin {
            Origin::Here => self.here = place,
            Origin::There => self.there = place,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.taken {
            0 => write!(out, "{}", self.before),
            taken => write!(out, "{}.{taken}", self.before),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.here, self.there)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Place, ()> {
        let (before, taken) = text.split_once('.').unwrap_or((text, "0"));
        let before = before.parse().map_err(|_| ())?;
        Ok(Place { before, taken: taken.parse().map_err(|_| ())? })
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Cursor, &'static str> {
        let wrong = "no place in the logs; take the one that an earlier answer gave, as 120-84";
        let (here, there) = text.split_once('-').ok_or(wrong)?;
        let place = |part: &str| part.parse().map_err(|()| wrong);
        Ok(Cursor { here: place(here)?, there: place(there)? })
    }
}

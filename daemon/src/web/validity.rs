//! From when until when a certificate is valid, read from its bytes (X.509, RFC 5280 section
//! 4.1.2.5). Called by whoever says in time that it ends; it judges no signature and no chain.

use crate::agent::logs::parse::days_since_1970;

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Both in milliseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not before this.
    pub from_ms: u64,
    /// Not after this.
    pub until_ms: u64,
}

impl Validity {
    /// Of a certificate in DER; none where the bytes are none.
    pub fn of(certificate: &[u8]) -> Option<Validity> {
        let (tag, certificate, _) = element(certificate)?;
        let (inner, mut rest, _) = element(certificate)?;
        if tag != SEQUENCE || inner != SEQUENCE {
            return None;
        }
        let mut next = || {
            let (tag, content, after) = element(rest)?;
            rest = after;
            Some((tag, content))
        };
        let mut part = next()?;
        if part.0 == VERSION {
            part = next()?;
        }
        // Serial number, algorithm, issuer.
        let before = [part, next()?, next()?].map(|(tag, _)| tag);
        let (tag, times) = next()?;
        if before != [INTEGER, SEQUENCE, SEQUENCE] || tag != SEQUENCE {
            return None;
        }
        let (form, from, after) = element(times)?;
        let from_ms = time(form, from)?;
        let (form, until, _) = element(after)?;
        Some(Validity { from_ms, until_ms: time(form, until)? })
    }
}

/// Tag, content and what comes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        // A certificate is shorter than 64 KiB.
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let (long, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*long)), rest)
        }
        _longer => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

/// `YYMMDDHHMMSSZ` of 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn time(form: u8, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match form {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _other => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let two = |place: usize| rest.get(2 * place..2 * place + 2)?.parse::<u32>().ok();
    let days = days_since_1970(year, two(0)?, two(1)?)?;
    let of_day = i64::from(two(2)?) * 3600 + i64::from(two(3)?) * 60 + i64::from(two(4)?);
    // What ended before 1970 has ended.
    u64::try_from((days * 86_400 + of_day).max(0)).ok()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["gw-a".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn both_forms_of_a_moment_are_read() {
        let short = Validity::of(&certificate((2025, 1, 1), (2026, 12, 31))).expect("read");
        assert_eq!((short.from_ms, short.until_ms), (1_735_689_600_000, 1_798_675_200_000));
        // From 2050 on the year has four digits.
        let long = Validity::of(&certificate((1999, 12, 31), (2051, 3, 1))).expect("read");
        assert_eq!((long.from_ms, long.until_ms), (946_598_400_000, 2_561_241_600_000));
    }

    #[test]
    fn what_is_no_certificate_says_nothing_however_it_is_cut() {
        let whole = certificate((2025, 1, 1), (2026, 12, 31));
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None, "{length} bytes of it");
        }
        assert_eq!(Validity::of(b"-----BEGIN CERTIFICATE-----"), None);
        assert_eq!(time(UTC_TIME, b"261331000000Z"), None, "there is no such day");
        assert_eq!(time(UTC_TIME, b"2612310000Z"), None);
    }
}

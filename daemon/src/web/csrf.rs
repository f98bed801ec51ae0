//! That a change was meant by whoever is signed in: a token in each form that only a page of
//! this console knows, and the browser's own word that the request comes from such a page.
//! Either would do; both are asked.

use axum::http::{HeaderMap, Uri, header};
use blake3::Hash;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::agent::api::error::Refusal;

/// Header of a request that is no form; a form has a field `csrf`.
pub(super) const HEADER: &str = "x-csrf-token";
const CONTEXT: &str = "twinwall 2026 console: token against requests of other pages";

/// Digits of a mask, and of what is masked by it.
const DIGITS: usize = 2 * blake3::OUT_LEN;

/// The token that goes with a cookie's secret, for one answer: the mask is another one each time,
/// so that nobody learns of the token how well an answer could be compressed (BREACH).
pub(super) fn token(secret: &str) -> String {
    let mut mask = [0; blake3::OUT_LEN];
    // Should the kernel give nothing, it is as good against other pages, only not masked.
    let _ = getrandom(&mut mask, GetRandomFlags::empty());
    let mask = Hash::from(mask);
    format!("{}{}", mask.to_hex(), masked(&bare(secret), &mask).to_hex())
}

fn bare(secret: &str) -> Hash {
    blake3::derive_key(CONTEXT, secret.as_bytes()).into()
}

fn masked(token: &Hash, mask: &Hash) -> Hash {
    let (token, mask) = (token.as_bytes(), mask.as_bytes());
    std::array::from_fn::<u8, { blake3::OUT_LEN }, _>(|at| token[at] ^ mask[at]).into()
}

/// The bare token of one that was given out.
fn unmasked(given: &str) -> Option<Hash> {
    let mask = Hash::from_hex(given.get(..DIGITS)?).ok()?;
    Some(masked(&Hash::from_hex(given.get(DIGITS..)?).ok()?, &mask))
}

/// Refuses what no page of this console can have sent.
pub(super) fn check(secret: &str, given: Option<&str>, head: &Head<'_>) -> Result<(), Refusal> {
    if !is_own_page(head) {
        return Err(Refusal::forbidden("this request came from another site; nothing was done"));
    }
    // Hashes are compared in the same time whatever differs, so that no watch learns from it.
    if given.and_then(unmasked) != Some(bare(secret)) {
        return Err(Refusal::forbidden("this page is older than your session; load it again"));
    }
    Ok(())
}

/// What of a request says where it comes from.
pub(super) struct Head<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) uri: &'a Uri,
}

/// By Origin, else by the browser's Sec-Fetch-Site.
fn is_own_page(head: &Head<'_>) -> bool {
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    // HTTP/2 has the host in the request's own line.
    let host = head.uri.authority().map(|it| it.as_str()).or_else(|| text(header::HOST));
    match (text(header::ORIGIN), host) {
        (Some(origin), Some(host)) => origin.strip_prefix("https://") == Some(host),
        (Some(_), None) => false,
        (None, _) => text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own(pairs: &[(&'static str, &'static str)], uri: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a value"));
        }
        let uri = uri.parse().expect("a URI");
        is_own_page(&Head { headers: &headers, uri: &uri })
    }

    #[test]
    fn only_pages_of_this_very_console_may_ask_for_changes() {
        let host = ("host", "gw:8443");
        assert!(is_own(&[host, ("origin", "https://gw:8443")], "/x"));
        assert!(is_own(&[("origin", "https://gw:8443")], "https://gw:8443/x"), "HTTP/2");
        assert!(is_own(&[host, ("sec-fetch-site", "same-origin")], "/x"));
        for wrong in
            ["https://gw", "http://gw:8443", "https://evil", "null", "https://gw:8443.evil"]
        {
            assert!(!is_own(&[host, ("origin", wrong), ("sec-fetch-site", "same-origin")], "/x"));
        }
        assert!(!is_own(&[host, ("sec-fetch-site", "cross-site")], "/x"));
        assert!(!is_own(&[host], "/x") && !is_own(&[("origin", "https://gw:8443")], "/x"));
    }

    #[test]
    fn the_token_belongs_to_one_cookie() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-site", "same-origin".parse().expect("a value"));
        let uri = Uri::from_static("/x");
        let head = Head { headers: &headers, uri: &uri };
        let (one, other) = (token("secret"), token("secret"));
        assert_ne!(one, other, "another one for each answer");
        assert!(check("secret", Some(&one), &head).is_ok());
        assert!(check("secret", Some(&other), &head).is_ok());
        let mixed = format!("{}{}", &one[..DIGITS], &other[DIGITS..]);
        let (short, long) = (&one[1..], format!("{one}0"));
        let umlauts = "\u{e4}".repeat(DIGITS);
        for wrong in ["", "secret", &token("other"), &mixed, short, &long, &umlauts] {
            assert!(check("secret", Some(wrong), &head).is_err(), "{wrong}");
        }
        assert!(check("secret", None, &head).is_err());
    }
}

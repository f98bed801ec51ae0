//! Text within an address or a head: everything but plain letters and digits as its bytes
//! (RFC 3986, section 2.1). Commands, console and API write queries, parts of paths and names of
//! files with it. It reads nothing back: that is whoever's server it is.

use std::fmt::Write;

/// The text for a query, for one part of a path, or for a head.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_can_mean_anything_to_an_address() {
        assert_eq!(encoded("/a?b=c d&e"), "%2Fa%3Fb%3Dc%20d%26e");
        assert_eq!(encoded("gw-a_1.html~"), "gw-a_1.html~");
        assert_eq!(encoded("ä\r\n%"), "%C3%A4%0D%0A%25");
        assert_eq!(encoded(""), "");
    }
}

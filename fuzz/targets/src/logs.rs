//! What the two nodes say to each other about logs.

use twinwall::agent::logs::store::decode_batch;
use twinwall::agent::logs::{Message, decode_message};

/// One message: a word, or batches of lines one after the other.
pub fn message(data: &[u8]) {
    let Ok(Message::Batches(mut rest)) = decode_message(data) else { return };
    while let Ok((length, lines)) = decode_batch(rest) {
        let in_order = lines.windows(2).all(|two| two[0].0 + 1 == two[1].0);
        assert!(length > 0 && in_order, "numbers only grow");
        rest = &rest[length..];
    }
}

//! Reads the kernel's table. Called by `table`, on the kernel thread.

use std::io;

use twinwall_netlink::nft::Nft;
use twinwall_netlink::nft::consts::{
    ANY_TABLE, ELEM_LIST_SET, MSG_GETCHAIN, MSG_GETRULE, MSG_GETSET, MSG_GETSETELEM, MSG_GETTABLE,
};
use twinwall_netlink::wire::Writer;

use super::found::Found;

/// How often a look that another program's change interrupted is begun again.
const TRIES: u32 = 5;

/// The table `name` as it is; nothing found when it does not exist.
pub(super) fn look(netlink: &mut Nft, name: &str) -> io::Result<Found> {
    for _ in 0..TRIES {
        let mut found = Found::default();
        if whole(netlink, name, &mut found)? {
            return Ok(found);
        }
    }
    Err(io::Error::new(io::ErrorKind::Interrupted, "the tables changed during every look"))
}

/// One look; `false` when the tables changed meanwhile.
fn whole(netlink: &mut Nft, name: &str, found: &mut Found) -> io::Result<bool> {
    match netlink.get(
        MSG_GETTABLE,
        |w| w.string(ANY_TABLE, name),
        |message| found.take(message, name),
    ) {
        Ok(()) => {}
        Err(error) if is_absent(&error) => return Ok(true),
        Err(error) => return Err(error),
    }
    for kind in [MSG_GETCHAIN, MSG_GETRULE, MSG_GETSET] {
        if !netlink.list(
            kind,
            |w| w.string(ANY_TABLE, name),
            |message| found.take(message, name),
        )? {
            return Ok(false);
        }
    }
    let sets: Vec<String> = found.sets.keys().cloned().collect();
    for set in sets {
        let of_set = |w: &mut Writer<'_>| {
            w.string(ANY_TABLE, name);
            w.string(ELEM_LIST_SET, &set);
        };
        match netlink.list(MSG_GETSETELEM, of_set, |message| found.take(message, name)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) if is_absent(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}

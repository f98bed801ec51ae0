//! The beat thread's side of the gate: orders as marked frames to `lo`.
//!
//! A frame that a rule of the table took is dropped there, and the drop comes back
//! from `sendmsg` as ENOBUFS; a frame that no rule took passes and `sendmsg`
//! succeeds. So every order is answered at once, without netlink, whose locks
//! other programs may hold for long. Nothing here allocates or waits.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::ladder::{Ladder, ORDER_ETHERTYPE, Order};
use super::sys;

/// Shortest Ethernet frame without checksum. The payload begins with the number of the arming.
const FRAME_LEN: usize = 60;
/// Where that number is.
const ARMING: Range<usize> = 14..18;
/// How often an order is given again that did not do what it should have.
const TRIES: u32 = 4;

/// Opens, renews and closes the gate of the network namespace in which it was made.
#[derive(Debug)]
pub struct GateSwitch {
    socket: OwnedFd,
    loopback: libc::sockaddr_ll,
    frame: [u8; FRAME_LEN],
    ladder: Ladder,
    /// Number of the last arming; the frames that follow carry it.
    arming: u32,
    /// When the lease ends at the latest; `None` when none was given.
    ends: Option<Instant>,
}

impl GateSwitch {
    /// A switch for leases of at most `lease`, in the calling thread's network
    /// namespace. Needs CAP_NET_RAW and CAP_NET_ADMIN.
    ///
    /// # Errors
    /// What the kernel said to the packet socket, or that there is no `lo`.
    pub fn open(lease: Duration) -> io::Result<GateSwitch> {
        let socket = sys::packet_socket()?;
        let loopback = sys::link_address(sys::interface_index("lo")?, ORDER_ETHERTYPE);
        let mut frame = [0; FRAME_LEN];
        frame[12..14].copy_from_slice(&ORDER_ETHERTYPE.to_be_bytes());
        // Not where a predecessor began: its last arming may live for some milliseconds.
        let arming =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        Ok(GateSwitch { socket, loopback, frame, ladder: Ladder::new(lease), arming, ends: None })
    }

    /// From now on leases last at most `lease`. The table must have the rules for
    /// it already: see [`GateSpec::old_lease`](super::GateSpec::old_lease).
    pub fn set_lease(&mut self, lease: Duration) {
        self.ladder = Ladder::new(lease);
    }

    /// First half of opening: the next opening is good until the kernel's next
    /// tick only. Read sockets and clock after this, then open. `false`: no table.
    pub fn arm(&mut self) -> bool {
        self.arming = self.arming.wrapping_add(1);
        self.frame[ARMING].copy_from_slice(&self.arming.to_ne_bytes());
        self.give(Order::Arm)
    }

    /// Second half: opens both gates until `left` has passed, `left` being what a
    /// look at the clock after [`arm`](Self::arm) gave. `false`: the arming ran out
    /// (a tick came, or this node was kept from running), the table is gone or `left` is under 8 ms;
    /// the gates are as they were.
    pub fn open_gate(&mut self, left: Duration) -> bool {
        let Some(ms) = self.ladder.fit(left) else { return false };
        let ends = Instant::now() + milliseconds(ms);
        let took = self.give(Order::Open(ms));
        if took {
            self.ends = Some(ends);
        }
        took
    }

    /// Keeps both gates open until what `left` says has passed, if the lease lives.
    /// `left` must read the clock each time it is called: it is called after
    /// arming, so that a node frozen between the two cannot renew on an old look;
    /// then it is asked once more. `true`: the lease lives. `false`: it has run out.
    ///
    /// A lease that lives and cannot be renewed (its plain table was flushed, the
    /// node froze at every try) ends when it would have; it is `true` so long.
    pub fn renew(&mut self, left: impl Fn() -> Duration) -> bool {
        for _ in 0..TRIES {
            let armed = self.arm();
            let fit = self.ladder.fit(left());
            let now = Instant::now();
            match fit.map(|ms| (ms, now + milliseconds(ms))) {
                Some((ms, ends)) if armed && self.ends.is_none_or(|before| ends > before) => {
                    if self.give(Order::Renew(ms))
                        || (self.lives(now) && self.give(Order::Open(ms)))
                    {
                        self.ends = Some(ends);
                        return true;
                    }
                }
                // Lengths are rounded down: asking for no later end would bring it nearer.
                Some(_) | None => return self.answers() || self.lives(now),
            }
        }
        self.answers()
    }

    /// Opens both gates again until the end that the lease had, if it lives still:
    /// for a table that was flushed and made anew. It needs no new confirmation
    /// from the peer, since the lease does not become longer. `true`: open.
    pub fn restore(&mut self) -> bool {
        for _ in 0..TRIES {
            if self.answers() {
                return true;
            }
            let (Some(ends), true) = (self.ends, self.arm()) else { return false };
            let Some(ms) = self.ladder.fit(ends.saturating_duration_since(Instant::now())) else {
                return false;
            };
            self.give(Order::Open(ms));
        }
        self.answers()
    }

    /// Whether the lease that was given last has not reached its end, whatever became of the table.
    fn lives(&self, now: Instant) -> bool {
        self.ends.is_some_and(|ends| now < ends)
    }

    /// Closes the answering gate at once; the forwarding gate, if it is open, for
    /// 300 ms from now. `true`: closed, and forwarding goes on. `false`: see
    /// [`answers`](Self::answers) and [`present`](Self::present) for which:
    /// the lease had run out already, or there is no table.
    pub fn close_answer(&mut self) -> bool {
        self.ends = None;
        for _ in 0..TRIES {
            let took = self.give(Order::CloseAnswer);
            if !self.answers() {
                return took;
            }
        }
        false
    }

    /// Closes both gates at once. `true`: seen to be closed. `false`: there is no
    /// table (the gate is no protection now) or the kernel had no memory for a
    /// frame: take other measures and try again.
    pub fn close(&mut self) -> bool {
        self.ends = None;
        for _ in 0..TRIES {
            if self.give(Order::Close) && !self.answers() {
                return true;
            }
        }
        false
    }

    /// Whether the answering gate is open now. A kernel without memory for the
    /// question counts as yes.
    pub fn answers(&mut self) -> bool {
        self.give(Order::AskAnswer)
    }

    /// Whether the table is there and obeys.
    pub fn present(&mut self) -> bool {
        self.give(Order::AskTable)
    }

    /// Whether a rule of the table took the order.
    fn give(&mut self, order: Order) -> bool {
        let sent =
            sys::send_marked(self.socket.as_raw_fd(), &self.frame, &self.loopback, order.mark());
        sent.is_err_and(|error| error.raw_os_error() == Some(libc::ENOBUFS))
    }
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}

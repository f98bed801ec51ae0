//! Places for callers who have not proved who they are: the channel's listener and an open
//! invitation give one to each connection until it has. When all are taken a newcomer gets
//! the place of another, so that whoever connects and says nothing keeps nobody out.

use std::net::IpAddr;

use tokio::sync::oneshot;

/// The places of one listener.
#[derive(Debug)]
pub struct Callers {
    most: usize,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    from: IpAddr,
    /// Its other end is the caller's [`Place`].
    stay: oneshot::Sender<()>,
}

/// A caller's place; free again when this is dropped.
#[derive(Debug)]
pub struct Place(oneshot::Receiver<()>);

impl Callers {
    /// So many places.
    pub fn new(most: usize) -> Callers {
        Callers { most, waiting: Vec::new() }
    }

    /// A place for a caller. When all are taken, the address that holds the most of them
    /// loses its oldest: an honest peer is done in milliseconds, and calls from an address of
    /// its own.
    pub fn admit(&mut self, from: IpAddr) -> Place {
        self.waiting.retain(|it| !it.stay.is_closed());
        if self.waiting.len() >= self.most {
            self.turn_one_out();
        }
        let (stay, place) = oneshot::channel();
        self.waiting.push(Waiting { from: from.to_canonical(), stay });
        Place(place)
    }

    fn turn_one_out(&mut self) {
        let of_address = |from| self.waiting.iter().filter(|it| it.from == from).count();
        // From behind, since the last of several equal ones is taken.
        let from_behind = self.waiting.iter().enumerate().rev();
        if let Some((at, _)) = from_behind.max_by_key(|(_, it)| of_address(it.from)) {
            self.waiting.remove(at);
        }
    }
}

impl Place {
    /// Returns when another caller got the place.
    pub async fn lost(&mut self) {
        // Nothing is ever sent; the other end goes when the place is given away.
        let _ = (&mut self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }

    fn is_lost(place: &mut Place) -> bool {
        place.0.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_crowd_from_one_address_pushes_out_only_itself() {
        let mut callers = Callers::new(4);
        let mut honest = callers.admit(address(1));
        let mut crowd: Vec<Place> = (0..100).map(|_| callers.admit(address(2))).collect();
        assert!(!is_lost(&mut honest));
        let stay = crowd.iter_mut().filter_map(|it| (!is_lost(it)).then_some(())).count();
        assert_eq!(stay, 3);
        assert!(!is_lost(&mut crowd[99]), "the newest stays");
    }

    #[test]
    fn of_many_addresses_the_one_that_came_first_goes() {
        let mut callers = Callers::new(2);
        let mut places: Vec<Place> = (1..=3).map(|host| callers.admit(address(host))).collect();
        let lost: Vec<bool> = places.iter_mut().map(is_lost).collect();
        assert_eq!(lost, [true, false, false]);
    }

    #[test]
    fn a_place_that_was_given_back_costs_nobody_anything() {
        let mut callers = Callers::new(2);
        let mut first = callers.admit(address(1));
        for _ in 0..10 {
            drop(callers.admit(address(1)));
        }
        assert!(!is_lost(&mut first));
    }
}

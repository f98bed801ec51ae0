//! Two real guards in namespaces, watched from outside: by `ip`, by pings, by ARP
//! and neighbour solicitation from hosts that know nothing of the product.
//!
//! Needs root and the guard's binary beside this one (`cargo build`). Every test
//! runs itself again as process 1 of namespaces of its own, so that nothing
//! outlives it. The claims are about behaviour; the bounds are for a busy machine.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod death;
mod kernel;
mod links;
mod orders;
mod readiness;
mod record;
mod rekey;
mod reload;
mod roles;
mod socket;
mod strangers;
mod support;
mod turned_off;
mod turned_on;

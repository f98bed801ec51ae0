//! A reboot of either node, by `systemctl reboot`, as seen from a client.

use crate::support::{Site, in_lab};

#[test]
fn a_reboot_of_the_active_loses_no_packet_and_it_comes_back_ready() {
    in_lab(|| {
        let mut site = Site::with_pair();
        let active = site.settle();
        let watch = site.watch();
        site.run(active, "systemctl reboot");
        site.see_reboot(active);
        assert_eq!(site.settle(), 1 - active, "the role stays where it went: {}", site.story());
        let measured = watch.end(&site);
        println!("reboot of the active: {} of {} packets lost", measured.lost, measured.sent);
        assert_eq!(measured.lost, 0, "{measured:#?}\n{}", site.story());
        // And back again: the node that had booted serves as before.
        site.run(1 - active, "twinwall switchover");
        assert_eq!(site.settle(), active);
        site.await_traffic();
    });
}

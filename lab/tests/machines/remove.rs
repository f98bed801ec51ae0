//! Removal and purge: the pair goes on with the other node, and the machine works
//! without twinwall.

use crate::support::{DEB, Site, in_lab};

#[test]
fn a_removal_hands_over_and_a_purge_leaves_nothing() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        let watch = site.watch();
        site.run(active, "dpkg --remove twinwall");
        assert_eq!(site.run(active, "nft list tables"), "table inet filter\n", "nothing is left");
        let kept = site.run(active, "ls /etc/twinwall");
        assert_eq!(
            kept, "identity\nnode.toml\npair.key\npair.toml\n",
            "settings survive a removal"
        );
        site.run(active, "dpkg --purge twinwall");
        let left = "find /etc /var/lib /run /lib/systemd /usr -name '*twinwall*' -not -path '/var/lib/dpkg/*'";
        assert_eq!(site.run(active, left), "");
        site.await_traffic();
        let measured = watch.end(&site);
        println!("removal from the active: {} of {} packets lost", measured.lost, measured.sent);
        assert_eq!(measured.lost, 0, "{measured:#?}\n{}", site.story());
    });
}

#[test]
fn the_last_node_that_serves_is_not_removed_and_can_be_installed_again() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        site.run(1 - active, "systemctl stop twinwall-guard");
        let refused = site.nodes[active].run("dpkg --remove twinwall").unwrap_err().to_string();
        assert!(refused.contains("served by nobody"), "{refused}");
        site.await_traffic();
        site.run(active, "systemctl stop twinwall-guard");
        site.run(active, "dpkg --remove twinwall");
        for node in 0..2 {
            site.run(node, &format!("dpkg --install {DEB}"));
        }
        site.settle();
        site.await_traffic();
    });
}

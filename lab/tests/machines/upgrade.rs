//! An upgrade of the package on a pair that carries traffic.

use crate::support::{Site, in_lab};

#[test]
fn an_upgrade_of_both_nodes_moves_nothing_and_loses_no_packet() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        let guards = [0, 1].map(|node| main_process(&site, node));
        for node in 0..2 {
            newer_package(&site, node);
        }
        let watch = site.watch();
        for node in [1 - active, active] {
            let said = site.run(node, "dpkg --install /var/tmp/newer.deb");
            let kept = said.contains("its guard goes on as it was");
            assert_eq!(kept, node == active, "{said}");
            assert_eq!(site.settle(), active, "the role did not move: {}", site.story());
        }
        assert_eq!(main_process(&site, active), guards[active], "the old guard goes on");
        assert_ne!(main_process(&site, 1 - active), guards[1 - active], "the new one runs");
        // At a time of the administrator's choice, as the upgrade said.
        site.run(active, "systemctl restart twinwall-guard");
        assert_eq!(site.settle(), 1 - active);
        assert_ne!(main_process(&site, active), guards[active]);
        let measured = watch.end(&site);
        println!("upgrade of both nodes: {} of {} packets lost", measured.lost, measured.sent);
        assert_eq!(measured.lost, 0, "{measured:#?}\n{}", site.story());
    });
}

/// Makes a package of the same files with a higher version.
fn newer_package(site: &Site, node: usize) {
    site.run(node, "dpkg-deb --raw-extract /var/tmp/twinwall.deb /var/tmp/newer");
    site.run(node, "sed --in-place 's/^Version: .*/&+newer/' /var/tmp/newer/DEBIAN/control");
    site.run(node, "dpkg-deb -Znone --build /var/tmp/newer /var/tmp/newer.deb");
}

fn main_process(site: &Site, node: usize) -> String {
    site.run(node, "systemctl show --value --property=MainPID twinwall-guard")
}

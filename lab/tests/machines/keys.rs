//! New keys for the pair, and a new unit in the place of a dead one, as seen from a client.

use twinwall_lab::container::Container;

use crate::support::{Site, in_lab};

const KEY: &str = "etc/twinwall/pair.key";

fn text(machine: &Container, path: &str) -> String {
    std::fs::read_to_string(machine.path(path)).unwrap_or_default()
}

#[test]
fn keys_change_under_traffic_without_a_lost_packet() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        let before = text(&site.nodes[0], KEY);
        let watch = site.watch();
        let said = site.run(1 - active, "twinwall pair rotate");
        assert!(said.contains("3 of 3"), "{said}");
        let measured = watch.end(&site);
        println!("new keys: {} of {} packets lost", measured.lost, measured.sent);
        assert_eq!((measured.lost, site.settle()), (0, active), "{measured:#?}\n{}", site.story());
        let after = text(&site.nodes[0], KEY);
        assert!(after != before && after == text(&site.nodes[1], KEY), "{}", site.story());
    });
}

#[test]
fn a_new_unit_takes_the_place_of_a_dead_one_while_the_other_serves() {
    in_lab(|| {
        let mut site = Site::with_pair();
        let (active, dead) = (site.settle(), 1 - site.settle());
        let (key, hosts) = (text(&site.nodes[active], KEY), "10.1.0.77 printer\n");
        site.nodes[active].write("etc/ethers", hosts, 0o644).unwrap();
        site.cut_power(dead);
        let watch = site.watch();
        site.new_unit(dead);
        // The new unit boots faster than a lost connection is believed in.
        site.until("the loss is seen", || {
            let said = site.nodes[active].run("twinwall pair status --json");
            let said = said.map_err(|error| error.to_string())?;
            if said.replace(' ', "").contains("\"connected\":false") { Ok(()) } else { Err(said) }
        });
        let code = site.code_of(active, "replace");
        site.run(dead, &format!("twinwall pair join {code}"));
        assert_eq!(site.settle(), active, "{}", site.story());
        site.await_in_sync();
        let measured = watch.end(&site);
        println!("a new unit: {} of {} packets lost", measured.lost, measured.sent);
        assert_eq!(measured.lost, 0, "{measured:#?}\n{}", site.story());
        assert_eq!(text(&site.nodes[dead], "etc/ethers"), hosts, "never from the blank unit");
        let keys = [active, dead].map(|node| text(&site.nodes[node], KEY));
        assert!(keys[0] != key && keys[0] == keys[1], "another key than the dead one has");
        // What it is there for.
        site.cut_power(active);
        site.until("the new unit serves", || {
            let role = site.status(dead)?.snapshot.role.role;
            if role.word() == "active" { Ok(()) } else { Err(role.word().to_owned()) }
        });
        site.await_traffic();
    });
}

//! Changes of the configuration on one machine, and what Debian's own programs and
//! `systemctl` make of them on the other.

use std::time::Duration;

use crate::support::{Site, in_lab};

#[test]
fn a_change_on_the_active_is_applied_on_the_other_by_debians_own_programs() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        let passive = 1 - active;
        at_rest();
        let watch = site.watch();

        // nftables: the set is in the other kernel, and the gate outlives the flush.
        let set = "printf 'add table inet lists\\nadd set inet lists trusted { type ipv4_addr; }\\n' \
                   >> /etc/nftables.conf && nft -f /etc/nftables.conf";
        site.run(active, set);
        site.until("the set in the other kernel", || {
            site.nodes[passive].run("nft list set inet lists trusted").map_err(|e| e.to_string())
        });
        site.await_section("firewall", "in_sync");

        // dnsmasq: restarted by systemctl where it runs.
        site.run(passive, "systemctl start dnsmasq");
        let process = "systemctl show --value --property=MainPID dnsmasq";
        let before = site.run(passive, process);
        site.run(active, "echo address=/printer.lan/10.1.0.77 > /etc/dnsmasq.d/hosts.conf");
        site.await_section("network", "in_sync");
        site.run(passive, "grep printer /etc/dnsmasq.d/hosts.conf");
        assert_ne!(site.run(passive, process), before, "dnsmasq read the new file");

        // A change that cannot work is refused there, and nothing of it is left.
        site.run(active, "echo 'no such word' >> /etc/nftables.conf");
        site.await_section("firewall", "failed");
        site.run(passive, "nft -c -f /etc/nftables.conf");
        site.run(active, "sed --in-place '$d' /etc/nftables.conf");
        site.await_section("firewall", "in_sync");

        assert_eq!(site.settle(), active, "no role moved");
        let measured = watch.end(&site);
        println!("synchronisation: {} of {} packets lost", measured.lost, measured.sent);
        assert_eq!(measured.lost, 0, "{measured:#?}\n{}", site.story());
    });
}

#[test]
fn a_network_file_travels_with_the_other_nodes_own_address() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        let passive = 1 - active;
        at_rest();
        let watch = site.watch();
        // systemd-networkd reconfigures the link and takes addresses away that it does not
        // know, the virtual IPs among them; the guard has them back at once.
        let mtu = "sed --in-place 's/^Name=.*/&\\n[Link]\\nMTUBytes=1400/' \
                   /etc/systemd/network/20-lan0.network && networkctl reload";
        site.run(active, mtu);
        site.await_section("interfaces", "in_sync");
        let file = site.run(passive, "cat /etc/systemd/network/20-lan0.network");
        let own = format!("Address=10.1.0.{}/24", passive + 2);
        assert!(file.contains("MTUBytes=1400") && file.contains(&own), "{file}");
        // A mistake is refused before networkd there could read it.
        let wrong = "sed --in-place 's/^Address=10.1.0.*/&\\nAddress=10.1.0.300\\/24/' \
                     /etc/systemd/network/20-lan0.network";
        site.run(active, wrong);
        site.await_section("interfaces", "failed");
        let said = site.run(active, "twinwall sync");
        assert!(said.contains("Address=10.1.0.300/24: write an address"), "{said}");
        site.run(active, "sed --in-place /300/d /etc/systemd/network/20-lan0.network");
        site.await_section("interfaces", "in_sync");
        assert_eq!(site.settle(), active, "no role moved");
        site.await_traffic();
        let measured = watch.end(&site);
        let outage = measured.outage;
        println!("networkctl reload: {} of {} packets lost", measured.lost, measured.sent);
        assert!(outage < Duration::from_millis(500), "{measured:#?}\n{}", site.story());
    });
}

#[test]
fn a_power_cut_in_the_middle_of_a_change_is_undone_before_the_services_start() {
    in_lab(|| {
        let mut site = Site::with_pair();
        let active = site.settle();
        let passive = 1 - active;
        at_rest();
        // A service that takes its time to read its files again keeps the change open.
        let slow = "[Service]\nExecReload=\nExecReload=/bin/sleep 20\n";
        let drop_in = "etc/systemd/system/ssh.service.d/slow.conf";
        site.run(passive, "systemctl enable --now ssh");
        site.nodes[passive].write(drop_in, slow, 0o644).unwrap();
        site.run(passive, "systemctl daemon-reload");
        site.run(active, "echo MaxAuthTries 3 > /etc/ssh/sshd_config.d/tries.conf");
        site.until("a change under way, its files in place", || {
            let both =
                "test -e /var/lib/twinwall/apply/journal -a -e /etc/ssh/sshd_config.d/tries.conf";
            site.nodes[passive].run(both).map_err(|error| error.to_string())
        });
        site.cut_power(passive);
        std::fs::remove_file(site.nodes[passive].path(drop_in)).unwrap();
        // So that it stays undone until it was looked at.
        site.run(active, "systemctl stop twinwall-agent");
        site.power_on(passive);
        let said = site.nodes[passive].journal(Some("twinwall-recover.service"));
        assert!(said.contains("was interrupted; the old files of support are back"), "{said}");
        site.run(passive, "test ! -e /etc/ssh/sshd_config.d/tries.conf");
        let order = "systemctl show --value --property=InactiveExitTimestampMonotonic";
        let [recover, ssh] = ["twinwall-recover", "ssh"].map(|unit| {
            site.run(passive, &format!("{order} {unit}")).trim().parse::<u64>().unwrap()
        });
        assert!(0 < recover && recover < ssh, "{recover} and {ssh}");
        site.run(active, "systemctl start twinwall-agent");
        site.await_section("support", "in_sync");
        site.run(passive, "test -e /etc/ssh/sshd_config.d/tries.conf");
    });
}

/// What was applied has come to rest.
fn at_rest() {
    std::thread::sleep(Duration::from_millis(500));
}

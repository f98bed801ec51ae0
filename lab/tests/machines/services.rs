//! Services that run only on the active: Debian's own dnsmasq, moved by `systemctl`.

use twinwall_lab::product::{Seen, guard};

use crate::support::{Site, in_lab};

#[test]
fn a_service_moves_with_the_role_and_starts_after_a_power_loss() {
    in_lab(|| {
        let mut site = Site::with_pair();
        for node in 0..2 {
            site.run(node, "systemctl enable --now dnsmasq");
        }
        let active = site.settle();
        runs_only_on(&site, active);

        site.run(active, "twinwall switchover");
        let active = site.settle();
        runs_only_on(&site, active);

        // One that dies is started again, and on the passive nobody starts it.
        site.run(active, "systemctl kill --signal=KILL dnsmasq");
        site.run(1 - active, "systemctl start dnsmasq");
        site.run(1 - active, "journalctl -u dnsmasq | grep -q 'runs on the active one only'");
        runs_only_on(&site, active);

        site.cut_power(active);
        site.until("the other one runs it", || runs(&site, 1 - active, true));
        site.power_on(active);
        runs_only_on(&site, 1 - active);
        // It was enabled there and never ran in this boot, not for a moment.
        let never = "systemctl is-enabled dnsmasq && \
                     systemctl show --value --property=ExecMainStartTimestampMonotonic dnsmasq";
        assert_eq!(site.run(active, never).lines().last(), Some("0"));

        // What cannot start says why, and the node says that it cannot bear the role.
        let wrong = "mkdir -p /etc/systemd/system/dnsmasq.service.d && printf \
                     '[Service]\\nExecStartPre=/bin/false\\n' > /etc/systemd/system/dnsmasq.service.d/x.conf \
                     && systemctl daemon-reload";
        site.run(active, wrong);
        site.until("a switchover to the node that has just booted", || {
            site.nodes[1 - active].run("twinwall switchover").map_err(|error| error.to_string())
        });
        site.until("the role is where the service can run", || {
            let said =
                site.nodes[active].run("twinwall status").map_err(|error| error.to_string())?;
            let other = guard::seen(&site.status(1 - active)?);
            let gave_up = said.contains("dnsmasq does not run here") && other == Seen::Active;
            if gave_up { Ok(()) } else { Err(said) }
        });
        runs_only_on(&site, 1 - active);
    });
}

fn runs_only_on(site: &Site, wanted: usize) {
    for node in 0..2 {
        site.until("dnsmasq on the active only", || runs(site, node, node == wanted));
    }
}

fn runs(site: &Site, node: usize, wanted: bool) -> Result<(), String> {
    let state = "systemctl show --value --property=ActiveState dnsmasq; twinwall services";
    let said = site.nodes[node].run(state).map_err(|error| error.to_string())?;
    let (active, listed) = (said.starts_with("active"), said.contains("running"));
    if active == wanted && listed == wanted { Ok(()) } else { Err(said) }
}

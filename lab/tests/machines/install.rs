//! The first installation, before and after there are settings.

use crate::support::{DEB, Site, in_lab};

/// The highest exposure that `systemd-analyze security` may find, times ten.
const EXPOSURE: [(&str, u32); 5] = [
    ("twinwall-guard", 29),
    ("twinwall-agent", 50),
    ("twinwall-recover", 25),
    ("twinwall-web", 15),
    ("twinwall-snmp", 18),
];

#[test]
fn the_package_installs_and_a_pair_set_up_from_files_serves() {
    in_lab(|| {
        let site = Site::of_debian();
        for node in 0..2 {
            let said = site.run(node, &format!("dpkg --install {DEB}"));
            assert!(said.contains("Setting up twinwall"), "{said}");
            installed(&site, node);
        }
        hardened(&site);
        site.set_up_from_files();
        site.settle();
        site.await_traffic();
        for node in 0..2 {
            let failed = site.run(node, "systemctl --failed --plain --no-legend");
            assert_eq!(failed, "", "{}", site.story());
        }
    });
}

/// Whatever keeps the settings from being read keeps no guard down that died.
#[test]
fn a_guard_that_died_comes_back_although_its_settings_could_not_be_read_for_a_while() {
    in_lab(|| {
        let site = Site::with_pair();
        let passive = 1 - site.settle();
        site.run(passive, "mv /etc/twinwall/pair.toml /var/tmp && mkdir /etc/twinwall/pair.toml");
        site.run(passive, "systemctl kill --signal=KILL twinwall-guard; sleep 1");
        let state = "systemctl show --value --property=ActiveState twinwall-guard";
        assert_ne!(site.run(passive, state), "inactive\n", "{}", site.story());
        site.run(passive, "rmdir /etc/twinwall/pair.toml && mv /var/tmp/pair.toml /etc/twinwall");
        site.settle();
    });
}

/// What is there before anybody configured anything.
fn installed(site: &Site, node: usize) {
    let enabled = "systemctl is-enabled twinwall-agent twinwall-recover twinwall-web \
                   twinwall-snmp twinwall-guard; true";
    assert_eq!(site.run(node, enabled), "enabled\nenabled\nenabled\nenabled\ndisabled\n");
    site.run(node, "systemctl is-active twinwall-agent twinwall-web twinwall-snmp");
    console(site, node);
    site.run(node, "systemctl start twinwall-guard");
    let guard =
        "systemctl show --property=ActiveState,ExecMainStartTimestampMonotonic twinwall-guard";
    assert_eq!(
        site.run(node, guard),
        "ExecMainStartTimestampMonotonic=0\nActiveState=inactive\n",
        "a guard without settings does not start"
    );
    let modes =
        site.run(node, "stat --format='%n %a %U %G' /etc/twinwall /var/lib/twinwall /run/twinwall");
    assert_eq!(
        modes,
        "/etc/twinwall 750 root root\n/var/lib/twinwall 700 root root\n/run/twinwall 750 root twinwall\n"
    );
    assert_eq!(site.run(node, "dpkg --verify twinwall"), "", "every file is as it was packed");
    site.run(node, "test -s /usr/share/man/man1/twinwall.1.gz");
    site.run(node, "bash -n /usr/share/bash-completion/completions/twinwall");
}

/// The console runs as its own user, and reaches the agent by its group.
fn console(site: &Site, node: usize) {
    let user = "ps -o user= -p $(systemctl show --value --property=MainPID twinwall-web)";
    assert_eq!(site.run(node, user).trim(), "twinwall-web");
    let log = "journalctl --unit=twinwall-web --output=cat";
    let listening =
        format!("for i in $(seq 50); do {log} | grep listening && break; sleep 0.2; done");
    let said = site.run(node, &listening);
    assert!(said.contains("listening on [::]:8443"), "{said}{}", site.run(node, log));
    let token = site.run(node, "twinwall web setup-token");
    assert!(token.contains("fingerprint"), "{token}");
}

/// The units are sound, and as closed as they are meant to be.
fn hardened(site: &Site) {
    let said = site.run(0, "systemd-analyze verify --man=no twinwall-guard.service twinwall-agent.service twinwall-recover.service twinwall-web.service twinwall-snmp.service 2>&1");
    assert_eq!(said, "");
    for (unit, exposure) in EXPOSURE {
        site.run(0, &format!("systemd-analyze security --threshold={exposure} {unit}.service"));
    }
}

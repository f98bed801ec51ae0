//! A right and a wrong change for each program.

use twinwall::agent::section::Section;

use crate::machine::Machine;

#[test]
fn nftables() {
    let mut machine = Machine::copied(Section::Firewall);
    let rules =
        |verdict| format!("table inet t {{ chain c {{ ip saddr 10.0.0.1 {verdict}; }}; }}\n");
    machine.judge("/etc/nftables.conf", &rules("drop"), &rules("dorp"), "dorp");
}

#[test]
fn dnsmasq_drop_ins() {
    let mut machine = Machine::copied(Section::Network);
    let path = "/etc/dnsmasq.d/lan.conf";
    machine.judge(
        path,
        "domain-needed\n",
        "domain-needde\n",
        "bad option at line 1 of /etc/dnsmasq.d",
    );
}

#[test]
fn kea() {
    let mut machine = Machine::copied(Section::Network);
    let right = "{ \"Dhcp4\": { \"valid-lifetime\": 600, \"interfaces-config\": { \"interfaces\": [] } } }\n";
    let wrong = right.replace("valid-lifetime", "valid-lifetme");
    machine.judge("/etc/kea/kea-dhcp4.conf", right, &wrong, "valid-lifetme");
}

#[test]
fn radvd() {
    let mut machine = Machine::copied(Section::Network);
    let text = |word| format!("interface lan {{\n {word} on;\n}};\n");
    let (right, wrong) = (text("AdvSendAdvert"), text("AdvSendAdvertt"));
    machine.judge("/etc/radvd.conf", &right, &wrong, "syntax error");
}

#[test]
fn squid() {
    let mut machine = Machine::copied(Section::Policies);
    let text = |kind| format!("acl lan {kind} 10.0.0.0/8\nhttp_access allow lan\n");
    let (right, wrong) = (text("src"), text("srcc"));
    machine.judge("/etc/squid/conf.d/lan.conf", &right, &wrong, "Bungled");
}

#[test]
fn chrony() {
    let mut machine = Machine::copied(Section::System);
    let path = "/etc/chrony/conf.d/lan.conf";
    machine.judge(path, "allow 10.0.0.0/8\n", "alow 10.0.0.0/8\n", "Invalid directive");
}

#[test]
fn snmpd() {
    let mut machine = Machine::copied(Section::System);
    let path = "/etc/snmp/snmpd.conf.d/lan.conf";
    machine.judge(path, "rocommunity secret 10.0.0.0/8\n", "rocomunity secret\n", "rocomunity");
}

#[test]
fn sysctl() {
    let mut machine = Machine::copied(Section::System);
    let path = "/etc/sysctl.d/90-lan.conf";
    machine.judge(path, "net.ipv4.ip_forward = 1\n", "net.ipv4.ip_forward 1\n", "invalid syntax");
}

#[test]
fn logrotate() {
    let mut machine = Machine::copied(Section::System);
    let text = |word| format!("/var/log/lan.log {{\n  missingok\n  rotate {word}\n}}\n");
    machine.judge("/etc/logrotate.d/lan", &text("3"), &text("three"), "bad rotation count");
}

#[test]
fn freeradius_users_and_clients() {
    let mut machine = Machine::copied(Section::Users);
    let path = "/etc/freeradius/3.0/mods-config/files/authorize";
    let (right, wrong) = ("bob Cleartext-Password := \"x\"\n", "bob Cleartext-Pasword := \"x\"\n");
    machine.judge(path, right, wrong, "Cleartext-Pasword");
    let client = |address| format!("client lan {{\n  ipaddr = {address}\n  secret = x\n}}\n");
    let path = "/etc/freeradius/3.0/clients.conf";
    machine.judge(path, &client("10.0.0.1"), &client("10.0.0.1/99"), "mask length");
}

#[test]
fn postfix() {
    let mut machine = Machine::copied(Section::Mail);
    machine.write("/etc/postfix/main.cf", "compatibility_level = 3.6\n");
    let text = |value| format!("compatibility_level = 3.6\nprocess_limit_x = 1\n{value}\n");
    let (right, wrong) = (text("mynetworks = 10.0.0.0/8"), text("mail_owner = nobody-here"));
    machine.judge("/etc/postfix/main.cf", &right, &wrong, "nobody-here");
}

#[test]
fn rspamd() {
    let mut machine = Machine::copied(Section::Mail);
    machine.write("/etc/postfix/main.cf", "compatibility_level = 3.6\n");
    let path = "/etc/rspamd/local.d/actions.conf";
    machine.judge(path, "reject = 20;\n", "reject = {20;\n", "actions.conf");
}

#[test]
fn suricata() {
    let mut machine = Machine::copied(Section::Ips);
    machine.write("/etc/suricata/suricata.yaml", "%YAML 1.1\n---\nvars: {}\nrule-files: []\n");
    let config = |rules| {
        format!("%YAML 1.1\n---\ndefault-rule-path: /etc/suricata/rules\nrule-files: {rules}\n")
    };
    machine.judge(
        "/etc/suricata/suricata.yaml",
        &config("[]"),
        "%YAML 1.1\n---\na: [\n",
        "Failed to parse configuration file at line 3",
    );
    machine.write("/etc/suricata/rules/lan.rules", "");
    machine.write("/etc/suricata/suricata.yaml", &config("[lan.rules]"));
    let rule = |action| format!("{action} tcp any any -> any 23 (msg:\"telnet\"; sid:1; rev:1;)\n");
    machine.judge("/etc/suricata/rules/lan.rules", &rule("alert"), &rule("alrt"), "lan.rules");
}

#[test]
fn strongswan() {
    let mut machine = Machine::copied(Section::Vpn);
    let text = |word| {
        format!(
            "connections {{\n site {{\n  {word} = 10.0.0.1\n  local {{ auth = psk }}\n  \
             remote {{ auth = psk }}\n  children {{ net {{ local_ts = 10.1.0.0/16 }} }}\n }}\n}}\n"
        )
    };
    let (right, wrong) = (text("remote_addrs"), text("remote_adrs"));
    machine.judge("/etc/swanctl/conf.d/site.conf", &right, &wrong, "unknown option: remote_adrs");
}

#[test]
fn wireguard() {
    let mut machine = Machine::copied(Section::Vpn);
    let key = "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let text = |key| {
        format!(
            "[Interface]\nAddress = 10.9.0.1/24\nPrivateKey = {key}\n[Peer]\nPublicKey = \
             YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAllowedIPs = 10.9.0.2/32\n\
             Endpoint = vpn.example.invalid:51820\n"
        )
    };
    machine.judge("/etc/wireguard/wg0.conf", &text(key), &text("short="), "short=");
}

#[test]
fn openvpn() {
    let mut machine = Machine::copied(Section::Vpn);
    let path = "/etc/openvpn/server/lan.conf";
    machine.judge(path, "dev tun\nport 1194\n", "dev tun\nprot 1194\n", "lan.conf:2: prot");
}

#[test]
fn clamav() {
    let mut machine = Machine::copied(Section::Antivirus);
    let text = |word| format!("LocalSocket /run/clamav/clamd.ctl\n{word} 20\n");
    let (right, wrong) = (text("MaxThreads"), text("MaxThread"));
    machine.judge("/etc/clamav/clamd.conf", &right, &wrong, "Unknown option MaxThread");
}

#[test]
fn sshd() {
    let mut machine = Machine::copied(Section::Support);
    let path = "/etc/ssh/sshd_config.d/10-support.conf";
    machine.judge(path, "PermitRootLogin no\n", "PermitRootLogn no\n", "PermitRootLogn");
}

#[test]
fn ifupdown() {
    let mut machine = Machine::copied(Section::Interfaces);
    let text = |method| format!("auto lan\niface lan inet {method}\n  address 10.0.0.1/24\n");
    let path = "/etc/network/interfaces.d/lan";
    machine.judge(path, &text("static"), &text("statik"), "lan:2");
}

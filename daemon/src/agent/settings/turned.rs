//! What makes settings of older ones, part by part: for [`HaSettings::changes_from`].

use super::change::{Change, Value};
use super::view::{HaInterface, HaSettings, Policy};

impl HaSettings {
    pub(super) fn failback_from(&self, old: &HaSettings, set: &mut impl FnMut(&str, bool, Value)) {
        let (new, old) = (&self.failback, &old.failback);
        let policy = match new.policy {
            Policy::Stay => "stay",
            Policy::Primary => "primary",
        };
        set("failback.policy", new.policy != old.policy, Value::Text(policy.to_owned()));
        if let Some(hold) = new.hold_s {
            set("failback.hold", new.hold_s != old.hold_s, Value::Number(hold));
        }
    }

    pub(super) fn damping_from(&self, old: &HaSettings, set: &mut impl FnMut(&str, bool, Value)) {
        let number = Value::Number;
        set("boot.hold", self.boot_hold_s != old.boot_hold_s, number(self.boot_hold_s));
        let (new, old) = (&self.damping, &old.damping);
        set("damping.flaps", new.flaps != old.flaps, number(new.flaps.into()));
        set("damping.window", new.window_s != old.window_s, number(new.window_s));
        set("damping.hold", new.hold_s != old.hold_s, number(new.hold_s));
    }

    pub(super) fn sync_from(&self, old: &HaSettings, set: &mut impl FnMut(&str, bool, Value)) {
        let (new, old) = (&self.sync, &old.sync);
        set("sync.automatic", new.automatic != old.automatic, Value::Flag(new.automatic));
        set("sync.debounce", new.debounce_s != old.debounce_s, Value::Number(new.debounce_s));
        set("sync.logs", new.logs != old.logs, Value::Flag(new.logs));
        set("sync.snmp", new.snmp != old.snmp, Value::Flag(new.snmp));
    }

    /// The order of interfaces stays as it is in the file; new ones come last.
    pub(super) fn interfaces_from(&self, old: &HaSettings, all: &mut Vec<Change>) {
        let find =
            |list: &[HaInterface], name: &str| list.iter().find(|one| one.name == name).cloned();
        for gone in &old.interfaces {
            if find(&self.interfaces, &gone.name).is_none() {
                all.push(Change::RemoveInterface { name: gone.name.clone() });
            }
        }
        for new in &self.interfaces {
            let before = find(&old.interfaces, &new.name);
            let key = |field: &str| format!("interface.{}.{field}", new.name);
            if before.as_ref().is_none_or(|before| before.watch != new.watch) {
                all.push(Change::Set { key: key("watch"), value: Value::Flag(new.watch) });
            }
            let before = before.unwrap_or_else(|| HaInterface {
                primary: Vec::new(),
                secondary: Vec::new(),
                virtual_ips: Vec::new(),
                gateways: Vec::new(),
                ..new.clone()
            });
            let lists = [
                ("primary", &new.primary, &before.primary),
                ("secondary", &new.secondary, &before.secondary),
                ("virtual", &new.virtual_ips, &before.virtual_ips),
                ("gateways", &new.gateways, &before.gateways),
            ];
            for (field, new, before) in lists {
                if new != before {
                    all.push(Change::Set { key: key(field), value: Value::List(new.clone()) });
                }
            }
        }
    }
}

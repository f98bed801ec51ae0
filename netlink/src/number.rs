//! Numbers of `linux/netlink.h` and `linux/netfilter/nfnetlink.h` under the names that
//! they have there.
#![allow(missing_docs, reason = "the kernel's headers say what their names mean")]

/// Fills in constants of one type.
#[macro_export]
#[doc(hidden)]
macro_rules! numbers {
    ($kind:ty: $($name:ident = $value:expr),+ $(,)?) => {
        $(pub const $name: $kind = $value;)+
    };
}

numbers!(u16: NLMSG_ERROR = 2, NLMSG_DONE = 3, BATCH_BEGIN = 0x10, BATCH_END = 0x11);
numbers!(u16:
    NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP_INTR = 0x10, NLM_F_REPLACE = 0x100,
    NLM_F_EXCL = 0x200, NLM_F_DUMP = 0x300, NLM_F_CREATE = 0x400, NLM_F_APPEND = 0x800,
);
numbers!(u16: SUBSYS_CONNTRACK = 1, SUBSYS_EXPECTATIONS = 2, SUBSYS_NFTABLES = 10);
numbers!(i32:
    GROUP_CONNTRACK_NEW = 1, GROUP_CONNTRACK_UPDATE = 2, GROUP_CONNTRACK_DESTROY = 3,
    GROUP_EXPECTATION_NEW = 4, GROUP_EXPECTATION_UPDATE = 5, GROUP_EXPECTATION_DESTROY = 6,
    GROUP_NFTABLES = 7,
);

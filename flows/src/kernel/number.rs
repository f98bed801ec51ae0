//! Numbers of `linux/netfilter/nfnetlink_conntrack.h` and of the neighbour tables
//! (`linux/neighbour.h`, `linux/rtnetlink.h`) under the names that they have there.
#![allow(missing_docs, reason = "the kernel's headers say what their names mean")]

use twinwall_netlink::numbers;

// Messages of both subsystems, conntrack and expectations.
numbers!(u16: MSG_NEW = 0, MSG_GET = 1, MSG_DELETE = 2);
// Of conntrack alone: how many entries there are.
numbers!(u16: MSG_GET_STATISTICS = 5);
numbers!(u16: CTA_STATS_GLOBAL_ENTRIES = 1);
numbers!(u16:
    CTA_TUPLE_ORIG = 1, CTA_TUPLE_REPLY = 2, CTA_STATUS = 3, CTA_PROTOINFO = 4, CTA_HELP = 5,
    CTA_NAT_SRC = 6, CTA_TIMEOUT = 7, CTA_MARK = 8, CTA_NAT_DST = 13, CTA_SEQ_ADJ_ORIG = 15,
    CTA_SEQ_ADJ_REPLY = 16, CTA_ZONE = 18, CTA_LABELS = 22, CTA_LABELS_MASK = 23,
);
numbers!(u16: CTA_TUPLE_IP = 1, CTA_TUPLE_PROTO = 2, CTA_TUPLE_ZONE = 3);
numbers!(u16: CTA_IP_V4_SRC = 1, CTA_IP_V4_DST = 2, CTA_IP_V6_SRC = 3, CTA_IP_V6_DST = 4);
numbers!(u16:
    CTA_PROTO_NUM = 1, CTA_PROTO_SRC_PORT = 2, CTA_PROTO_DST_PORT = 3, CTA_PROTO_ICMP_ID = 4,
    CTA_PROTO_ICMP_TYPE = 5, CTA_PROTO_ICMP_CODE = 6, CTA_PROTO_ICMPV6_ID = 7,
    CTA_PROTO_ICMPV6_TYPE = 8, CTA_PROTO_ICMPV6_CODE = 9,
);
numbers!(u16: CTA_PROTOINFO_TCP = 1, CTA_PROTOINFO_SCTP = 3);
numbers!(u16:
    CTA_PROTOINFO_TCP_STATE = 1, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL = 2,
    CTA_PROTOINFO_TCP_WSCALE_REPLY = 3, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL = 4,
    CTA_PROTOINFO_TCP_FLAGS_REPLY = 5,
);
numbers!(u16:
    CTA_PROTOINFO_SCTP_STATE = 1, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL = 2,
    CTA_PROTOINFO_SCTP_VTAG_REPLY = 3,
);
numbers!(u16: CTA_HELP_NAME = 1);
numbers!(u16:
    CTA_NAT_V4_MINIP = 1, CTA_NAT_V4_MAXIP = 2, CTA_NAT_PROTO = 3, CTA_NAT_V6_MINIP = 4,
    CTA_NAT_V6_MAXIP = 5,
);
numbers!(u16: CTA_PROTONAT_PORT_MIN = 1, CTA_PROTONAT_PORT_MAX = 2);
numbers!(u16:
    CTA_SEQADJ_CORRECTION_POS = 1, CTA_SEQADJ_OFFSET_BEFORE = 2, CTA_SEQADJ_OFFSET_AFTER = 3,
);
numbers!(u16:
    CTA_EXPECT_MASTER = 1, CTA_EXPECT_TUPLE = 2, CTA_EXPECT_MASK = 3, CTA_EXPECT_TIMEOUT = 4,
    CTA_EXPECT_HELP_NAME = 6, CTA_EXPECT_ZONE = 7, CTA_EXPECT_FLAGS = 8, CTA_EXPECT_CLASS = 9,
    CTA_EXPECT_NAT = 10, CTA_EXPECT_FN = 11,
);
numbers!(u16: CTA_EXPECT_NAT_DIR = 1, CTA_EXPECT_NAT_TUPLE = 2);

numbers!(u16: RTM_NEWNEIGH = 28, RTM_DELNEIGH = 29, RTM_GETNEIGH = 30);
numbers!(u16: NDA_DST = 1, NDA_LLADDR = 2);
numbers!(u16:
    NUD_INCOMPLETE = 0x01, NUD_REACHABLE = 0x02, NUD_STALE = 0x04, NUD_DELAY = 0x08,
    NUD_PROBE = 0x10, NUD_FAILED = 0x20, NUD_NOARP = 0x40, NUD_PERMANENT = 0x80,
);
numbers!(i32: RTNLGRP_NEIGH = 3);

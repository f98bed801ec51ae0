//! Numbers of `linux/netfilter/nf_tables.h` that `libc` does not have, under the names
//! that they have there.
#![allow(missing_docs, reason = "the kernel's headers say what their names mean")]

use crate::numbers;

numbers!(u8: NFPROTO_INET = 1, NFPROTO_NETDEV = 5);

numbers!(u16:
    MSG_NEWTABLE = 0, MSG_GETTABLE = 1, MSG_DELTABLE = 2, MSG_NEWCHAIN = 3, MSG_GETCHAIN = 4,
    MSG_DELCHAIN = 5, MSG_NEWRULE = 6, MSG_GETRULE = 7, MSG_DELRULE = 8, MSG_NEWSET = 9,
    MSG_GETSET = 10, MSG_NEWSETELEM = 12, MSG_GETSETELEM = 13, MSG_DELSETELEM = 14,
);

/// Every message about a table, a chain, a rule, a set or elements names its table in this attribute.
pub const ANY_TABLE: u16 = 1;

numbers!(u16: TABLE_NAME = 1, TABLE_FLAGS = 2, TABLE_USERDATA = 6, TABLE_OWNER = 7);
numbers!(u32: TABLE_F_OWNER = 2, TABLE_F_PERSIST = 4);

numbers!(u16: CHAIN_NAME = 3, CHAIN_HOOK = 4, CHAIN_POLICY = 5, CHAIN_TYPE = 7);
numbers!(u16: HOOK_NUMBER = 1, HOOK_PRIORITY = 2, HOOK_DEVICE = 3, HOOK_DEVICES = 4, DEVICE_NAME = 1);
numbers!(u32: HOOK_INGRESS = 0, HOOK_EGRESS = 1);
numbers!(u32: INET_PREROUTING = 0, INET_INPUT = 1, INET_FORWARD = 2, INET_OUTPUT = 3);

numbers!(u16: RULE_CHAIN = 2, RULE_EXPRESSIONS = 4, RULE_USERDATA = 7);

numbers!(u16:
    SET_NAME = 2, SET_FLAGS = 3, SET_KEY_TYPE = 4, SET_KEY_LEN = 5, SET_DESC = 9, SET_ID = 10, DESC_SIZE = 1,
);
numbers!(u32: SET_F_TIMEOUT = 0x10, SET_F_EVAL = 0x20);
numbers!(u16:
    ELEM_LIST_SET = 2, ELEM_LIST_ELEMENTS = 3, ELEM_KEY = 1, ELEM_TIMEOUT = 4, ELEM_EXPIRATION = 5,
);

numbers!(u16: LIST_ELEM = 1, EXPR_NAME = 1, EXPR_DATA = 2, DATA_VALUE = 1, DATA_VERDICT = 2);
numbers!(u16: COUNTER_PACKETS = 2, VERDICT_CODE = 1, VERDICT_CHAIN = 2);
numbers!(u32: REG_VERDICT = 0, REG_1 = 1);
numbers!(i32: VERDICT_DROP = 0, VERDICT_ACCEPT = 1, VERDICT_JUMP = -3, VERDICT_GOTO = -4, VERDICT_RETURN = -5);
numbers!(u32: META_PROTOCOL = 1, META_MARK = 3, META_NFPROTO = 15, META_L4PROTO = 16, META_PKTTYPE = 19);
numbers!(u32: CMP_EQ = 0, CMP_NEQ = 1, CMP_LT = 2, CMP_LTE = 3, CMP_GTE = 5);
numbers!(u32: PAYLOAD_LL = 0, PAYLOAD_NETWORK = 1, PAYLOAD_TRANSPORT = 2);
numbers!(u32: DYNSET_UPDATE = 1, DYNSET_DELETE = 2);
numbers!(u16: CT_DREG = 1, CT_KEY = 2, CT_SREG = 4);
numbers!(u32: CT_STATE = 0, CT_EVENTMASK = 18);

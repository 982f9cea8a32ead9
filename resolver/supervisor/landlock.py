"""Landlock: this process and what it starts write to no file from now on, whoever owns it (landlock(7), Linux 5.13).

Reading stays: a worker reads resolv.conf, certificates and its own modules. With it goes ptrace of any process outside,
and from Linux 6.12 on signals to those and abstract Unix sockets of theirs. What is open already stays usable.
"""

import ctypes
import os

# <asm-generic/unistd.h>: the same number on every architecture but alpha.
_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_VERSION = 1
# <linux/landlock.h>
_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = 0b1_1111_1111 << 4  # REMOVE_DIR to MAKE_SYM
_REFER = 1 << 13  # since version 2
_TRUNCATE = 1 << 14  # since 3
_IOCTL_DEV = 1 << 15  # since 5
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # since 6


def write_no_files() -> int:
    """Confine this process; the version of Landlock that did, 0: none did. Needs no_new_privs.

    A node without it still needs DNS, so nothing is raised: user, capabilities and a read-only root hold without it.
    """
    libc = ctypes.CDLL(None)
    version = int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION))
    if version < 1:
        return 0  # not built in, not switched on, or hidden by a seccomp profile
    forbidden = _WRITE_FILE | _REMOVE_AND_MAKE
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        forbidden |= right if version >= since else 0
    # handled_access_fs, handled_access_net, scoped; a kernel takes the fields that it knows and zeros behind them.
    scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
    rules = (ctypes.c_uint64 * 3)(forbidden, 0, scoped)
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        return 0
    failed = libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return 0 if failed else version

"""What a worker gives up before it reads its first packet: its user, every capability, and the way back to them.

Packets of strangers are read by workers, so a worker is worth nothing to whoever takes it over: another user where one
is configured, no capabilities in any set, no new ones through a program it could start (no_new_privs), no file that it
could write to (Landlock). It dies with its supervisor, and the kernel's killer of memory takes it first.
"""

import ctypes
import os
import signal

from resolver.supervisor.identity import Identity
from resolver.supervisor.landlock import write_no_files

OOM_SCORE_ABOVE = 200
"""How much more a worker is to the taste of the out-of-memory killer than its supervisor, of 1,000."""
# <linux/prctl.h>, <linux/capability.h>
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64


def drop(who: Identity | None, parent: int) -> bool:
    """Give up everything, in this process. Raises OSError where something could not be given up.

    Whether files are out of reach as well: where the kernel has Landlock, and a user was named. `parent` is the process
    to die with; ProcessLookupError: it is gone already. All of it is this thread's: call it before there is another.
    """
    _be_killed_first()
    libc = ctypes.CDLL(None, use_errno=True)
    _drop_bounding_set(libc)
    if who is not None and (who.uid, who.gid) != (os.geteuid(), os.getegid()):
        os.setgroups(who.groups)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
    _drop_capabilities(libc)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    # Without `node.user` a worker stays who its supervisor is, with that one's files.
    confined = who is not None and write_no_files() > 0
    # Last: a change of user takes it back.
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError(f"the supervisor {parent} is gone")
    return confined


def renounce() -> None:
    """Give up all but the user, in a child that reads what others wrote and has nothing to do but to say what it is.

    Raises OSError where something could not be given up. The files of that user can still be read, not written.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _drop_bounding_set(libc)
    _drop_capabilities(libc)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    write_no_files()


def _be_killed_first() -> None:
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as own:  # noqa: PTH123 - pathlib: 0.3 MiB
        score = min(int(own.read()) + OOM_SCORE_ABOVE, 1000)
        own.seek(0)
        own.write(str(score))


def _drop_bounding_set(libc: ctypes.CDLL) -> None:
    """What no program started from here could ever get; only who has CAP_SETPCAP may, for others no_new_privs does."""
    for capability in range(_MOST_CAPABILITIES):
        if libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) != 1:
            continue
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            return


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)  # kernels before 4.3 have none
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing):
        raise OSError(ctypes.get_errno(), f"capabilities: {os.strerror(ctypes.get_errno())}")


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")

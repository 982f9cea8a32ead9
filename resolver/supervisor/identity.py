"""Who workers run as, found out by the supervisor; a worker becomes it (`privileges.py`, which needs ctypes)."""

import os
import pwd
from typing import NamedTuple


class Identity(NamedTuple):
    """Who a worker runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


class NoSuchUserError(LookupError):
    """`node.user` names nobody here."""


def identity(user: str) -> Identity | None:
    """The user of a name or a number, None for ""; raises NoSuchUserError for a name that is not known.

    A number without an entry in the user database is taken for the group as well.
    """
    if not user:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        if not user.isascii() or not user.isdigit():
            raise NoSuchUserError(f"node.user: there is no user {user}") from None
        try:
            entry = pwd.getpwuid(int(user))
        except KeyError:
            return Identity(int(user), int(user), ())
    return Identity(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))

"""Who workers run as."""

import os
import pwd

import pytest

from resolver.supervisor.identity import Identity, NoSuchUserError, identity


def test_no_user_means_no_change() -> None:
    assert identity("") is None


def test_a_name_and_its_number_are_the_same_user() -> None:
    entry = pwd.getpwuid(os.getuid())
    named = identity(entry.pw_name)
    assert named is not None
    assert named[:2] == (entry.pw_uid, entry.pw_gid)
    assert identity(str(entry.pw_uid)) == named


def test_a_number_without_a_name_is_its_own_group() -> None:
    assert identity("54321") == Identity(54321, 54321, ())


def test_a_name_that_nobody_has_is_refused() -> None:
    with pytest.raises(NoSuchUserError, match="there is no user no-such-user"):
        identity("no-such-user")

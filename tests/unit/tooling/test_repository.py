"""What is part of the repository: things that people write, and nothing of the machine it was written on."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINK_MODE = "120000"


def test_no_symbolic_link_is_part_of_the_repository() -> None:
    # A link to a virtual environment, once committed, replaces the folder of that name in every checkout.
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--stage"], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout: clone the repository with git")
    assert [line for line in listed.stdout.splitlines() if line.startswith(LINK_MODE)] == []

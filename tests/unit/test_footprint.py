"""What a process gives back when it has started: code that it has run once, and never anything that was written."""

import ctypes
import gc
from typing import Any

import pytest

from resolver import footprint
from tests.bare import said_by

MAPS = """\
00400000-0041f000 r--p 00000000 fe:01 1 /usr/bin/python3.11
0041f000-006cf000 r-xp 0001f000 fe:01 1 /usr/bin/python3.11
0095f000-00a9d000 rw-p 0055e000 fe:01 1 /usr/bin/python3.11
01a2b000-01b37000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000002000 r-xp 00000000 00:00 0
7f0000010000-7f0000020000 r-xp 00001000 fe:01 2 /opt/a folder/x.so (deleted)
7f0000030000-7f0000031000 rwxp 00001000 fe:01 2 /opt/odd.so
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0 [vdso]
"""
RESIDENT = """\
def resident():
    total, mine = 0, False
    for line in open("/proc/self/smaps"):
        words = line.split()
        if "-" in words[0]:
            mine = words[1] == "r-xp" and words[-1].startswith("/")
        elif mine and words[0] == "Rss:":
            total += int(words[1])
    return total
"""


def test_code_of_files_is_found_among_all_that_is_mapped() -> None:
    found = list(footprint.code(MAPS.splitlines(keepends=True)))
    assert found == [(0x41F000, 0x2B0000), (0x7F0000010000, 0x10000)]


def test_code_that_has_only_run_once_takes_no_memory_and_runs_again() -> None:
    code = (
        "import ctypes, json, decimal, sqlite3 as database, xml.etree.ElementTree as tree\n"
        "from resolver import footprint\n" + RESIDENT + "database.connect(':memory:').execute('select 1')\n"
        "before = resident()\nfootprint.settle()\nafter = resident()\n"
        "print(after < before, database.connect(':memory:').execute('select 2').fetchone(),\n"
        "      tree.fromstring('<a>b</a>').text, decimal.Decimal(2).sqrt() > 1)"
    )
    assert said_by(code) == "True (2,) b True"


def test_large_pieces_come_from_the_kernel_and_not_from_the_heap() -> None:
    code = (
        "import ctypes\nfrom resolver import footprint\nfootprint.tune()\n"
        "large = bytearray(20 * footprint.MMAP_BYTES)\n"
        "del large\n"  # from here on glibc would take such from the heap
        "large = bytearray(20 * footprint.MMAP_BYTES)\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(large))\n"
        "heap = next(line for line in open('/proc/self/maps') if '[heap]' in line).split()[0].split('-')\n"
        "print(int(heap[0], 16) <= at < int(heap[1], 16))"
    )
    assert said_by(code) == "False"
    assert said_by(code.replace("footprint.tune()", "pass")) == "True"


def test_a_c_library_without_these_functions_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Madvise:
        argtypes: Any = None

        def __call__(self, *what: int) -> int:
            asked.append(what)
            return 0

    library = type("Library", (), {"madvise": Madvise()})()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        footprint.tune()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    footprint.settle()
    assert {what[2] for what in asked} == {4}

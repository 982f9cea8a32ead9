"""asyncio and uvloop without OpenSSL, in processes that begin without it."""

import pytest

from tests.bare import said_by

MAPPED = "'libcrypto' in Path('/proc/self/maps').read_text()"
BEGIN = "import sys\nfrom pathlib import Path\nfrom resolver.loops import import_loops\n"


def words_of(code: str) -> list[str]:
    return said_by(BEGIN + code).split()


def test_neither_loop_nor_resolver_brings_openssl_along() -> None:
    code = f"import_loops()\nimport asyncio, uvloop, resolver.main\nprint('ssl' in sys.modules, {MAPPED})"
    assert words_of(code) == ["False", "False"]


def test_ssl_imported_later_is_the_real_one_for_asyncio_too() -> None:
    code = (
        "import_loops()\nimport ssl\nfrom resolver.upstream import tls\n"
        "print(ssl.OPENSSL_VERSION_INFO > (1,), tls._layer().__init__.__globals__['ssl'] is ssl)"
    )
    assert words_of(code) == ["True", "True"]


def test_threads_are_the_real_ones_as_soon_as_there_is_one() -> None:
    code = (
        "import resolver.lean\nresolver.lean.begin()\nimport_loops()\nimport asyncio, uvloop\n"
        "async def ask():\n"
        "    first = '__getattr__' in vars(sys.modules['threading'])\n"
        "    import threading\n"
        "    there = await asyncio.to_thread(threading.current_thread)\n"
        "    main = threading.main_thread()\n"
        "    print(first, there is not main, threading.current_thread() is main, main.ident == threading.get_ident())\n"
        "uvloop.run(ask())"
    )
    assert words_of(code) == ["True", "True", "True", "True"]


@pytest.mark.parametrize("before", ["ssl", "asyncio"])
def test_nothing_is_held_back_from_who_has_it_already(before: str) -> None:
    code = f"import {before}\nimport_loops()\nprint('uvloop' in sys.modules, sys.modules['ssl'].OPENSSL_VERSION != '')"
    assert words_of(code) == ["True", "True"]


def test_what_uvloop_might_want_of_ssl_beyond_that_it_gets_from_the_real_one() -> None:
    code = (
        "import resolver.loops\nstand_in = sys.modules['ssl'] = resolver.loops._stand_in()\n"
        "print(stand_in.HAS_SNI, sys.modules['ssl'] is stand_in, hasattr(stand_in, '__path__'))\n"
    )
    assert words_of(code) == ["True", "True", "False"]

"""Modules that wait until they are used, in processes that begin without them."""

import pytest

from tests.bare import said_by

BEGIN = "import resolver.lean\nresolver.lean.begin()\nimport sys\nfrom resolver.lean.deferred import _Loading\n"
ALL = ["typing", "logging", "selectors", "inspect", "subprocess", "concurrent.futures", "asyncio", "threading", "re",
       "re._parser", "dataclasses"]  # fmt: skip
WAITING = "[name for name in {names} if isinstance(vars(sys.modules[name]).get('__getattr__'), _Loading)]"


def waiting(*names: str) -> str:
    """An expression: which of these modules are not loaded yet."""
    return WAITING.format(names=list(names))


def test_nothing_that_watches_counts_or_completes_is_imported_where_it_is_off() -> None:
    code = (
        "import asyncio, resolver.__main__, resolver.main, resolver.supervisor.supervisor\n"
        "resolver.main._import_worker()\n"
        "from resolver.config.values import Config\n"
        "from resolver.core import Resolver\n"
        "async def begin(): Resolver(Config())\n"
        "asyncio.run(begin())\n"
        "off = ('resolver.kubernetes', 'resolver.survey', 'resolver.listen.sampled', 'resolver.ops.surveying',\n"
        "       'resolver.message.derive')\n"
        "print([name for name in sys.modules if name.startswith(off)])"
    )
    assert said_by(BEGIN + code) == "[]"


def test_a_supervisor_and_a_worker_begin_without_what_they_do_not_use() -> None:
    code = (
        "import resolver.__main__, resolver.main, resolver.supervisor.supervisor\n"
        f"names = {waiting('typing', 'logging', 'selectors')}\n"
        "others = {'asyncio', 'resolver.config.schema', 'resolver.node.node', 'resolver.supervisor.handover'}\n"
        "print(names, others & set(sys.modules))\n"
        "resolver.main._import_worker()\n"
        f"print({waiting(*ALL)})\n"
        "unused = {'random', 'cachetools', 'urllib.parse', 'http', 'ipaddress', 'queue', 'json', 'copy'}\n"
        "print(sorted((unused | {'resolver.ops.sums'}) & set(sys.modules)))"
    )
    assert said_by(BEGIN + code).splitlines() == [
        "['typing', 'logging', 'selectors'] set()",
        str(ALL),
        "[]",
    ]


def test_a_name_that_was_not_given_loads_the_module_itself() -> None:
    code = (
        "import selectors\n"
        f"before = {waiting('selectors')}\n"
        "print(before, selectors.DefaultSelector().get_map() is not None, selectors is sys.modules['selectors'],\n"
        f"      {waiting('selectors')}, vars(selectors).get('__getattr__'), selectors.__spec__.name)"
    )
    assert said_by(BEGIN + code) == "['selectors'] True True [] None selectors"


def test_what_was_loaded_for_an_importer_waits_again_and_works_again() -> None:
    code = (
        "from resolver.loops import import_h11\nimport_h11()\nimport h11, re\n"
        f"before = {waiting('re', 're._parser')}\n"
        "http = h11.Connection(h11.SERVER)\n"
        "http.receive_data(b'GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n"
        f"print(before, http.next_event().target, type(http.next_event()).__name__, {waiting('re')})\n"
        "import copy, dataclasses, pickle, string\n"
        "made = re.compile('a(b)*', re.IGNORECASE)\n"
        "print(made.sub(r'<\\1>', 'xAB'), pickle.loads(pickle.dumps(made)) == made, copy.copy(made) is made,\n"
        f"      string.Template('$a').substitute(a=1), dataclasses.field().init, {waiting('re', 're._parser')})"
    )
    assert said_by(BEGIN + code).splitlines() == [
        "['re', 're._parser'] b'/metrics' EndOfMessage ['re']",
        "x<B> True True 1 True []",
    ]


def test_what_others_have_imported_already_is_not_taken_from_them() -> None:
    code = (
        "import re, selectors\nfrom resolver.lean.deferred import unload\nfrom resolver.loops import import_h11\n"
        f"compile = re.compile\nimport_h11()\nunload('selectors')\nunload('no.such')\n"
        f"print(re.compile is compile, {waiting('re', 'selectors')})"
    )
    assert said_by(BEGIN + code) == "True ['selectors']"


def test_sockets_and_signals_work_with_numbers() -> None:
    code = (
        "import os, signal, socket\n"
        "from resolver.lean.numbers import name_of_signal\n"
        "one, other = socket.socketpair()\n"
        "heard = []\n"
        "signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(name_of_signal(number)))\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "print(type(socket.AF_INET), type(signal.SIGTERM), one.family == socket.AddressFamily(1), one.type, heard,\n"
        "      callable(signal.getsignal(signal.SIGUSR1)), signal.signal(signal.SIGUSR1, signal.SIG_IGN) is not None,\n"
        "      name_of_signal(99), socket.getaddrinfo('127.0.0.1', 53, type=socket.SOCK_DGRAM)[0][4])\n"
        "import ssl, subprocess\n"
        "print(type(ssl.PROTOCOL_TLS_CLIENT).__name__, subprocess.run(['true']).returncode)"
    )
    assert said_by(BEGIN + code).splitlines() == [
        "<class 'int'> <class 'int'> True 1 ['SIGUSR1'] True True 99 ('127.0.0.1', 53)",
        "_SSLMethod 0",
    ]


WORDS = """
class Colour(Words):
    RED = "red"
    GREEN = "green"

    @property
    def warm(self) -> bool:
        return self is Colour.RED

import copy, json, pickle
red = Colour("red")
print(red is Colour.RED, Colour(red) is red, list(Colour) == ["red", "green"], len(Colour))
print(red in Colour, red.name, red.warm)
print(f"{red} {red!s} {red!r} {red.value!r}", json.dumps({red: red}))
print(red == "red", {"red": 1}[red], type(str(red)) is str)
print(copy.deepcopy(red) is red, pickle.loads(pickle.dumps(red)) is red, isinstance(red, str), Colour.__name__)
for wrong in ("blue", None, [], 1):
    try:
        Colour(wrong)
    except ValueError as error:
        print(error)
"""


def test_words_are_what_an_enumeration_of_words_makes() -> None:
    ours = said_by("from resolver.lean.words import Words\n" + WORDS)
    assert ours == said_by("from enum import StrEnum as Words\n" + WORDS)
    assert ours.startswith("True True True 2\nTrue RED True\n")


def test_a_supervisor_needs_no_enumerations_and_who_needs_them_gets_the_real_ones() -> None:
    code = (
        "import resolver.__main__, resolver.main, resolver.supervisor.supervisor, socket\n"
        "before = 'enum' in sys.modules\n"
        "resolver.main._import_worker()\n"
        "from resolver.message.answer import Kind\n"
        "import enum\n"
        "print(before, issubclass(Kind, enum.StrEnum), socket.AF_INET.__class__, enum.IntFlag.__module__)"
    )
    assert said_by(BEGIN + code) == "False True <class 'int'> enum"


def test_enumerations_that_somebody_has_imported_stay() -> None:
    code = "import socket, signal\n" + BEGIN + "print(repr(socket.AF_INET), repr(signal.SIGTERM))"
    assert said_by(code) == "<AddressFamily.AF_INET: 2> <Signals.SIGTERM: 15>"


def test_a_name_that_the_module_does_not_have_is_an_attribute_error() -> None:
    code = "import selectors\ntry:\n    selectors.nothing\nexcept AttributeError as error:\n    print(error)"
    assert said_by(BEGIN + code) == "module 'selectors' has no attribute 'nothing'"


def test_what_is_imported_already_stays_as_it_is() -> None:
    code = (
        "import logging, typing\nlogger, final = logging.getLogger, typing.Final\n"
        f"{BEGIN}\nprint(logging.getLogger is logger, typing.Final is final, {waiting('logging', 'typing')})"
    )
    assert said_by(code) == "True True []"


def test_a_tuple_with_names_is_what_typing_makes() -> None:
    code = """
from typing import NamedTuple

class Point(NamedTuple):
    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y

class One(NamedTuple):
    only: str = "one"

class Nothing(NamedTuple):
    pass

import copy, pickle
made = Point(1)
print(made, made.sum, Point._fields, Point._field_defaults, made == (1, 2), Point.__module__)
print(hash(made) == hash((1, 2)), len(made), [*made])
print(One(), One(only="1").only, Nothing(), Point(y=4, x=3), made._replace(x=5), Point._make([6, 7]), made._asdict())
print(pickle.loads(pickle.dumps(made)) == made, copy.copy(made), type(copy.copy(made)) is Point)
match made:
    case Point(x, y=2):
        print("matched", x)
for wrong in (lambda: Point(), lambda: Point(1, 2, 3), lambda: Point(1, z=3), lambda: setattr(made, "x", 2),
              lambda: made._replace(z=1), lambda: Point._make([])):
    try:
        wrong()
    except (TypeError, ValueError, AttributeError) as error:
        print(type(error).__name__)
"""
    assert said_by(BEGIN + code) == said_by(code)


def test_annotations_of_all_kinds_are_read_without_typing() -> None:
    code = (
        "from typing import Any, Callable, ClassVar, Final, Generic, Literal, Optional, Protocol, TypeVar\n"
        "from typing import Union, cast\n"
        "T = TypeVar('T')\n"
        "class Box(Generic[T]):\n    held: Final[Optional[T]] = None\n    of: ClassVar[Literal['a', 'b']] = 'a'\n"
        "class Opens(Protocol):\n    def open(self, how: 'Any | Union[int, str]') -> Callable[[int], Any]: ...\n"
        f"print(cast('int', 3), Box[int]().held, issubclass(Opens, Protocol), {waiting('typing')})"
    )
    assert said_by(BEGIN + code) == "3 None True ['typing']"


def test_who_asks_for_annotations_gets_the_real_typing() -> None:
    code = f"import typing\ndef f(a: int) -> str: ...\nprint(typing.get_type_hints(f), typing.Any, {waiting('typing')})"
    assert said_by(BEGIN + code) == "{'a': <class 'int'>, 'return': <class 'str'>} typing.Any []"


LOG = """
import logging, json, os
from resolver.config import Log
from resolver.events import event
from resolver.ops.logs import Logs
early = logging.getLogger("early")
logs = Logs(Log(), 1)
"""


@pytest.mark.parametrize("start", ["start", "start_direct"])
def test_the_log_is_one_whether_logging_is_loaded_or_not(start: str) -> None:
    code = LOG + (
        f"logs.{start}()\n"
        "event(early, logging.INFO, 'first', of=1)\n"
        "early.debug('unseen')\n"
        "early.warning('%s of %d', 'second', 4)\n"
        f"waits = {waiting('logging')}\n"
        "logging.Formatter\n"
        "logging.getLogger('late').error('third')\n"
        "event(early, logging.ERROR, 'fourth', waited=waits, waits=str(" + waiting("logging") + "))\n"
        "logs.close(60)\nearly.error('too late')"
    )
    lines = said_by(BEGIN + code).splitlines()
    assert [line.partition('"level"')[2] for line in lines] == [
        ':"info","event":"first","of":1}',
        ':"warning","event":"second of 4"}',
        ':"error","event":"third"}',
        ':"error","event":"fourth","waited":["logging"],"waits":"[]"}',
    ]


def test_an_exception_is_logged_with_its_traceback() -> None:
    code = LOG + (
        "logs.start_direct()\ntry:\n    {}['key']\nexcept KeyError as error:\n    early.exception('it failed')\n"
        "    early.error('again', exc_info=error)\n"
        "    early.error('as asyncio does', exc_info=(type(error), error, None))"
    )
    lines = said_by(BEGIN + code).splitlines()
    assert len(lines) == 3
    assert all("KeyError: 'key'" in line for line in lines)
    assert ["Traceback" in line for line in lines] == [True, True, False]


def test_levels_hold_for_each_logger_as_in_logging() -> None:
    code = (
        "import logging\nroot, own = logging.getLogger(), logging.getLogger('own')\n"
        "root.setLevel('ERROR')\nown.setLevel(logging.DEBUG)\n"
        "print(root.isEnabledFor(logging.WARNING), own.isEnabledFor(logging.DEBUG), own.getEffectiveLevel(),\n"
        "      logging.getLogger('other').getEffectiveLevel(), logging.getLogger('own') is own)"
    )
    assert said_by(BEGIN + code) == said_by(code) == "False True 10 40 True"


VALUES: list[object] = [
    None,
    True,
    False,
    0,
    -7,
    1.5,
    1e300,
    "",
    '\u00e4\U0001f600\n"',
    [],
    [[]],
    {},
    {"a": {"b": [1, "2"]}, "": None},
]


@pytest.mark.parametrize("without", ["", "import sys\nsys.modules['_json'] = None\n"])
def test_json_is_what_the_module_json_makes_and_reads(without: str) -> None:
    code = f"""
import sys
from resolver.lean import jsontext
for wrong in ("", "nothing", "[1", "1 2", "{{1:2}}", "{{\\1" * 2000, '"\\1"', b"\\xff"):
    for name in [name for name in sys.modules if name.partition(".")[0] == "json"]:
        del sys.modules[name]
    try:
        print(jsontext.loads(wrong))
    except ValueError:
        pass
import json
for value in {VALUES!r}:
    text = json.dumps(value, separators=(",", ":"))
    assert jsontext.dumps(value) == text
    assert jsontext.dumps(value, ensure_ascii=False) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert jsontext.indented(value) == jsontext.indented(json.loads(text)) == json.dumps(value, indent=2)
    assert jsontext.loads(text) == jsontext.loads(f" \\n{{text}}\\t".encode()) == value
print(jsontext.dumps([json], default=lambda _: "a module"))
try:
    jsontext.dumps([json])
except TypeError:
    print("refused")
"""
    assert said_by(without + code).split("\n") == ['["a module"]', "refused"]


def test_a_supervisor_needs_neither_json_nor_regular_expressions() -> None:
    code = (
        "import resolver.__main__, resolver.main, resolver.supervisor.supervisor\n"
        "print({'json', 're'} & set(sys.modules))"
    )
    assert said_by(BEGIN + code) == "set()"

"""Modules that stand in `sys.modules` unloaded, and load when something is asked of them that they do not have yet.

Libraries import at their top what most programs never use of them, and all of it stays in memory: code objects and
classes, 3 MiB of a resolver on every node. A deferred module is what `import` finds, with those few names that
importers take at once; any other name runs the real module, in the same module object. So nothing is missing, and what
is forgotten here costs memory, as it did before, and no more.
"""

import sys
from _thread import RLock
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


def defer(name: str, known: Mapping[str, object], forwarded: Iterable[str] = ()) -> None:
    """Have `name` loaded when it is used, and not when it is imported; no change where it is loaded already.

    Until then it has the attributes in `known`, and functions for the names in `forwarded`, which load it when they are
    called: an importer may keep them. Called again, it adds to these.
    """
    if name not in sys.modules and not _prepare(name):
        return
    module = sys.modules[name]
    loading = vars(module).get("__getattr__")
    if isinstance(loading, _Loading):
        loading.give({**known} | {function: _forward(module, function) for function in forwarded})


def load(module: ModuleType) -> None:
    """Have a deferred module loaded now; no change for any other."""
    loading = vars(module).get("__getattr__")
    if isinstance(loading, _Loading):
        loading.load()


def unload(name: str) -> None:
    """Have a module that was needed for its importers' sake wait again: it is loaded anew when it is used.

    For modules that have no state, whose functions nobody has kept; what they have made may be kept. A part of a
    package is no attribute of it until then.
    """
    module = sys.modules.get(name)
    if module is None or module.__spec__ is None or isinstance(vars(module).get("__getattr__"), _Loading):
        return
    fresh = _module(module.__spec__)
    vars(module).clear()
    vars(module).update(vars(fresh), __getattr__=_Loading(module))


def take_back(name: str) -> None:
    """Have a deferred module loaded for the names that it was given, too: who imports it now gets the real ones."""
    loading = vars(sys.modules[name]).get("__getattr__")
    if isinstance(loading, _Loading):
        loading.take_back()


def when_loaded(name: str, call: Callable[[], None]) -> None:
    """Call when a module is loaded: at once where it is, or else after its loading."""
    loading = vars(sys.modules[name]).get("__getattr__") if name in sys.modules else None
    if isinstance(loading, _Loading):
        loading.then.append(call)
    else:
        call()


def _prepare(name: str) -> bool:
    """Put an unloaded module where `import` looks; False: there is none of that name."""
    package, _, child = name.rpartition(".")
    spec = PathFinder.find_spec(name, import_module(package).__path__ if package else None)
    if spec is None or spec.loader is None:
        return False
    module = sys.modules[name] = _module(spec)
    vars(module)["__getattr__"] = _Loading(module)
    if package:
        setattr(sys.modules[package], child, module)
    return True


def _module(spec: ModuleSpec) -> ModuleType:
    """What `importlib.util.module_from_spec` makes, without the modules that importlib.util imports."""
    module = ModuleType(spec.name)
    module.__spec__, module.__loader__ = spec, spec.loader
    module.__file__, module.__package__ = spec.origin, spec.parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    return module


def _forward(module: ModuleType, name: str) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> object:
        load(module)
        real: Callable[..., object] = getattr(module, name)
        return real(*arguments, **named)

    return call


class _Loading:
    """The `__getattr__` (PEP 562) of a module that is not loaded yet."""

    def __init__(self, module: ModuleType) -> None:
        self.then: list[Callable[[], None]] = []
        self._module = module
        self._given: set[str] = set()
        self._lock = RLock()  # of two threads that ask at once, one loads and the other waits
        self._begun = False

    def __call__(self, name: str) -> object:
        module = self._module
        # What the import system asks of any module on its way is no use of it; `import *` is.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if "__path__" in vars(module) and PathFinder.find_spec(f"{module.__name__}.{name}", module.__path__):
            return import_module(f"{module.__name__}.{name}")
        self.load()
        if vars(module).get("__getattr__") is self:  # asked by what its loading imports: not there yet
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return getattr(module, name)

    def give(self, names: dict[str, object]) -> None:
        vars(self._module).update(names)
        self._given.update(names)

    def take_back(self) -> None:
        while self._given:
            delattr(self._module, self._given.pop())

    def load(self) -> None:
        module = self._module
        with self._lock:
            if self._begun:
                return
            self._begun = True
            spec = module.__spec__
            assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - `defer` has looked
            spec.loader.exec_module(module)
            if vars(module).get("__getattr__") is self:
                del vars(module)["__getattr__"]
        for call in self.then:
            call()

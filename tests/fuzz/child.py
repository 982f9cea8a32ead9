"""One door in a process of its own, in which libFuzzer runs: `python -m tests.fuzz.child DOOR [options] [folders]`.

The code of both programs is instrumented while it is imported, which is why nothing here imports it earlier.
"""

import sys

import atheris

from tests.fuzz.targets import door

if __name__ == "__main__":
    with atheris.instrument_imports(include=["resolver", "webhook"], enable_loader_override=False):
        chosen = door(sys.argv[1])
    # To merge, libFuzzer begins processes like this one, by its first argument and a shell.
    again = f"{sys.executable} -m tests.fuzz.child {sys.argv[1]}"
    atheris.Setup([again, *sys.argv[2:]], chosen.check)
    atheris.Fuzz()

"""`python -m tests.fuzz.replay DOOR`: the kept inputs of a door once more, without a fuzzer."""

import sys

from tests.fuzz.targets import CORPUS, CRASHES, door, kept


def replay(name: str) -> int:
    """Every seed, every input of the corpus and every one that once broke it; how many. Raises what the door raises."""
    chosen = door(name)
    inputs = [*chosen.seeds(), *(path.read_bytes() for folder in (CORPUS, CRASHES) for path in kept(folder, name))]
    for each in inputs:
        chosen.check(each)
    return len(inputs)


if __name__ == "__main__":
    print(replay(sys.argv[1]))

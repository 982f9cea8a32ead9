"""`python -m tests.fuzz [DOOR...] --seconds N`: every door for untrusted bytes, fuzzed by what its code does with them.

Each door runs in a process of its own (tests/fuzz/child.py), `--jobs` of them side by side, and begins with the seeds,
the corpus and the inputs that once broke it. What reaches further is kept in build/fuzz, from where `--keep` takes it
into tests/fuzz/corpus as few and small inputs as cover the same. A door that breaks ends the run with status 1, and its
input lies in build/fuzz/crashes: once the defect is fixed it belongs into tests/fuzz/crashes under a name that says
what it was, where unit tests replay it for ever.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.report import PAGE, RECORDED, Run, branches_reached, read_output, rewrite, table
from tests.fuzz.targets import CORPUS, CRASHES, DOORS, door, kept, most_bytes

BUILD = Path("build/fuzz")
FOUND_CRASHES = BUILD / "crashes"
UNIT_SECONDS = 20
"""An input that takes longer is a defect."""
UNIT_MEBIBYTES = 1024
_GRACE_SECONDS = 120


def main() -> int:
    """Status 0: nothing broke; 1: something did; 2: wrong arguments."""
    arguments = _arguments()
    if arguments.document:
        PAGE.write_text(rewrite(PAGE.read_text(), table(_recorded())))
        return 0
    doors = arguments.doors or DOORS
    FOUND_CRASHES.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        runs = list(pool.map(lambda name: _fuzz(name, arguments.seconds, arguments.seed), doors))
    for name in doors if arguments.keep else ():
        _keep(name)
    if arguments.record:
        known = {run.door: run for run in _recorded()} | {
            run.door: run._replace(reached=branches_reached(run.door)) for run in runs
        }
        RECORDED.write_text(json.dumps([known[name]._asdict() for name in DOORS if name in known], indent=2) + "\n")
    print(table(runs))
    broken = [run.door for run in runs if run.broken]
    if broken:
        print(f"BROKEN: {', '.join(broken)}; inputs and traces: {FOUND_CRASHES}, {BUILD}/*.log", file=sys.stderr)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=f"{', '.join(DOORS)}; without any: all")
    parser.add_argument("--seconds", type=int, default=600, help="for each door")
    parser.add_argument("--jobs", type=int, default=1, help="doors side by side")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices; 0: another one each time")
    parser.add_argument("--keep", action="store_true", help="take what reaches further into tests/fuzz/corpus")
    parser.add_argument("--record", action="store_true", help=f"note this run in {RECORDED.name}, for the page")
    parser.add_argument(
        "--document", action="store_true", help=f"write the recorded runs into {PAGE.name}, run nothing"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.doors) - set(DOORS)
    if unknown:
        parser.error(f"there is no door {', '.join(sorted(unknown))}")
    return arguments


def _recorded() -> list[Run]:
    return [Run(**each) for each in json.loads(RECORDED.read_text())] if RECORDED.exists() else []


def _fuzz(name: str, seconds: int, seed: int) -> Run:
    found, seeds = BUILD / name / "found", BUILD / name / "seeds"
    for folder in (found, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, known in enumerate(door(name).seeds()):
        (seeds / f"{number:03}").write_bytes(known)
    log = BUILD / f"{name}.log"
    before = set(FOUND_CRASHES.glob(f"{name}-*"))
    with log.open("wb") as output:
        status = subprocess.run(
            _child(
                name, f"-seed={seed}", f"-max_total_time={seconds}",
                f"-artifact_prefix={FOUND_CRASHES}/{name}-", "-print_final_stats=1",
                found, seeds, *(folder / name for folder in (CORPUS, CRASHES) if (folder / name).is_dir()),
            ),
            stdout=output, stderr=subprocess.STDOUT, check=False, timeout=seconds + _GRACE_SECONDS,
            env=os.environ | ({"PYTHONHASHSEED": "0"} if seed else {}),
        ).returncode  # fmt: skip
    broken = status != 0 or set(FOUND_CRASHES.glob(f"{name}-*")) != before
    executions, edges = read_output(log.read_text(errors="replace"))
    if not executions and not broken:
        raise RuntimeError(f"{name}: nothing was run, see {log}")
    return Run(name, executions, seconds, edges, 0.0, len(kept(CRASHES, name)), broken)


def _child(name: str, *more: str | Path) -> list[str]:
    bounds = (f"-max_len={most_bytes(name)}", f"-timeout={UNIT_SECONDS}", f"-rss_limit_mb={UNIT_MEBIBYTES}")
    return [sys.executable, "-m", "tests.fuzz.child", name, *bounds, *map(str, more)]


def _keep(name: str) -> None:
    """The fewest inputs that take every branch that all of them take, the shortest of those."""
    fresh = BUILD / name / "fewest"
    fresh.mkdir(exist_ok=True)
    for old in fresh.iterdir():
        old.unlink()
    sources = [folder for folder in (CORPUS / name, BUILD / name / "seeds", BUILD / name / "found") if folder.is_dir()]
    merge = _child(name, "-set_cover_merge=1", "-use_counters=0", fresh, *sources)
    subprocess.run(merge, capture_output=True, check=True)
    if not any(fresh.iterdir()):
        raise RuntimeError(f"{name}: of {len(sources)} folders nothing was kept")
    target = CORPUS / name
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    for each in fresh.iterdir():
        (target / each.name[:12]).write_bytes(each.read_bytes())


if __name__ == "__main__":
    sys.exit(main())

"""Whatever happens to CoreDNS and to the way to it: what is known is answered, and nothing stays without an answer.

Two pods ask all the time (tests/lab/endurance.py) while one fault follows the other, each for a moment. Nothing is
remembered for longer than a second, so that everything known is stale before a fault is over.
`python -m benchmarks.faults` lets the same faults last, and measures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.endurance import NAMES, UNKNOWN_PER_SECOND, Asking, asking, cost
from tests.lab.faults import FAULTS, Fault, Stage, happen, make_stage
from tests.lab.process import first_in_line
from tests.lab.reports import Row, report
from tests.lab.resolver import Resolver, configuration
from tests.lab.topology import lab

pytestmark = [pytest.mark.e2e, pytest.mark.serial, pytest.mark.needs("netns", "nft", "go", "gcc")]

MOMENT = 150
"""New names that are asked while a fault lasts: one and a half seconds."""


@dataclass(frozen=True, slots=True)
class Scenery:
    """The lab with its load, and what was measured so far."""

    stage: Stage
    asking: Asking
    rows: list[Row]


@pytest.fixture(scope="module")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    folder = tmp_path_factory.mktemp("faults")
    with first_in_line(), lab() as places:
        stage = make_stage(places, folder)
        upstreams = [str(stage.resolv_conf)]
        config = configuration(cluster={"upstreams": upstreams, "maxTTL": 1}, world={"upstreams": upstreams})
        resolver = Resolver(places.node, folder, config)
        try:
            stage.server.start()
            resolver.start()
            with asking(folder, places) as load:
                made = Scenery(stage, load, [])
                yield made
        finally:
            resolver.process.kill()
            stage.server.kill()
    if made.rows:
        report("faults-short", made.rows)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_known_names_are_answered_and_others_get_the_truth_during(scenery: Scenery, fault: Fault) -> None:
    load = scenery.asking

    def lasts() -> None:
        load.unknown.more_asked(MOMENT)
        if fault.mended:
            load.settle()

    costs = cost(load, happen(fault, scenery.stage, lasts), load.settle())
    scenery.rows.append(
        {
            "fault": fault.name,
            "known": costs.known.asked,
            "failed": costs.known.failed,
            "slowest, ms": costs.known.slowest / 1000,
            "new": costs.unknown.asked,
            "SERVFAIL": costs.unknown.wrong,
            "slowest new, ms": costs.unknown.slowest / 1000,
        }
    )
    assert costs.known.asked > NAMES
    assert costs.known.failed == 0
    assert costs.unknown.asked >= UNKNOWN_PER_SECOND
    assert costs.unknown.unanswered == 0
    assert (costs.unknown.wrong > 0) or not fault.away, "the fault had no effect"

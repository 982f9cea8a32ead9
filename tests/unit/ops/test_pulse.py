import asyncio

from resolver.ops.pulse import Pulse
from resolver.upstream.health import FAILURES_TO_DOWN, SILENT_SECONDS
from tests.unit.ops.stage import Stage


def down(stage: Stage, address: str) -> None:
    for server in stage.servers:
        if server.upstream.address == address:
            for _ in range(FAILURES_TO_DOWN):
                server.health.failed(stage.now + SILENT_SECONDS)


def test_the_worst_lag_is_that_of_one_minute() -> None:
    pulse = Pulse(Stage().engine)
    assert (pulse.lag_seconds, pulse.worst_lag_seconds, pulse.last_beat) == (0.0, 0.0, None)
    pulse.beat(10.0, 10.25)
    pulse.beat(10.5, 10.4)
    assert (pulse.lag_seconds, pulse.worst_lag_seconds, pulse.last_beat) == (0.0, 0.25, 10.4)
    for beat in range(119):
        pulse.beat(11.0 + beat, 11.125 + beat)
    assert pulse.worst_lag_seconds == 0.125


def test_it_beats_by_itself_until_it_is_closed() -> None:
    async def run() -> None:
        pulse = Pulse(Stage().engine)
        beaten = asyncio.Event()
        beat = pulse.beat

        def tell(due: float, now: float) -> None:
            beat(due, now)
            beaten.set()

        pulse.beat = tell  # type: ignore[method-assign]
        pulse.start()
        pulse.start()
        async with asyncio.timeout(30):
            await beaten.wait()
        pulse.close()
        pulse.close()
        assert pulse.last_beat is not None

    asyncio.run(run())


def test_replies_without_any_server_of_the_zone_are_counted_while_all_are_down() -> None:
    stage = Stage()
    pulse = Pulse(stage.engine)

    def asked() -> int:
        for number in range(3):
            stage.ask(f"x{number}.test")
        stage.ask("x.cluster.local")
        pulse.beat(0, 0)
        return pulse.broken_total

    assert asked() == 0
    down(stage, "192.0.2.1")
    assert asked() == 0  # the other one is up
    down(stage, "192.0.2.2")
    pulse.beat(0, 0)
    assert asked() == 3
    assert asked() == 6
    for server in stage.servers:
        server.health.succeeded(stage.now, 0.001)
    assert asked() == 6
    down(stage, "192.0.2.1")
    down(stage, "192.0.2.2")
    pulse.beat(0, 0)
    assert asked() == 9

"""Counters over listeners that come and go."""

from resolver.listen.census import Census
from tests.unit.listen.fakes import FakeEngine, Run, connected, query, tcp, udp, until


def test_what_a_closed_listener_has_seen_still_counts(run: Run) -> None:
    async def test() -> None:
        census = Census()
        async with tcp(FakeEngine()) as first, udp(FakeEngine()) as packets:
            for listener in (first, packets):
                census.add(listener)
            async with connected(first) as client:
                await client.ask(query("now"))
                assert (census.seen().tcp_connections, census.seen().tcp_accepted) == (1, 1)
            await until(lambda: not first.connections)
            packets.lost["EPERM"] = 2
            packets.guard.failures = 3
            before = census.seen()
        for listener in (first, packets):
            census.remove(listener)
        assert census.seen() == before
        async with tcp(FakeEngine()) as second:
            census.add(second)
            second.accept_errors["EMFILE"] = 1
            seen = census.seen()
        assert (seen.tcp_accepted, seen.udp_lost, seen.panics) == (1, {"EPERM": 2}, 3)
        assert seen.tcp_refused == {**before.tcp_refused, "emfile": 1}
        assert seen.tcp_ended.keys() == {"idle", "room", "slow_message", "slow_reader", "no_message", "shutdown"}

    run(test)

"""Ready replies: each in turn, and all tables together within one budget whatever is put there."""

from hypothesis import given
from hypothesis import strategies as st

from resolver.cache.packets import Budget, ready_bytes

TALLY = [0]


def test_a_ready_reply_is_found_by_the_bytes_of_its_query() -> None:
    table = Budget(100_000).table()
    table.put(b"query", (b"reply",), 7.5, TALLY)
    ready = table.get(b"query")
    assert ready is not None
    assert (ready.next(), ready.until, ready.tally) == (b"reply", 7.5, TALLY)
    assert table.get(b"another") is None


def test_several_orders_of_a_reply_take_turns() -> None:
    table = Budget(100_000).table()
    table.put(b"query", (b"ab", b"bc", b"ca"), 1.0, TALLY)
    ready = table.get(b"query")
    assert ready is not None
    assert [ready.next() for _ in range(5)] == [b"ab", b"bc", b"ca", b"ab", b"bc"]


def test_all_tables_are_emptied_when_the_budget_is_used_up() -> None:
    budget = Budget(4000)
    udp, tcp = budget.table(), budget.table()
    udp.put(b"first", (b"x",), 1.0, TALLY)
    for number in range(20):
        tcp.put(b"%d" % number, (b"x" * 100,), 1.0, TALLY)
    assert udp.get(b"first") is None
    assert 0 < len(tcp) < 8
    assert tcp.get(b"19") is not None


def test_a_reply_that_would_take_most_of_the_budget_is_not_kept() -> None:
    budget = Budget(100_000)
    table = budget.table()
    table.put(b"small", (b"x",), 1.0, TALLY)
    table.put(b"large", (b"x" * 60_000,), 1.0, TALLY)
    assert table.get(b"small") is not None
    assert table.get(b"large") is None


def test_a_reply_too_long_for_its_way_in_is_not_kept() -> None:
    table = Budget(100_000).table(1232)
    table.put(b"fits", (b"x" * 1232,), 1.0, TALLY)
    table.put(b"long", (b"x" * 1233,), 1.0, TALLY)
    assert table.get(b"fits") is not None
    assert table.get(b"long") is None


def test_a_reply_that_grew_is_accounted_for_anew() -> None:
    budget = Budget(1_000_000)
    table = budget.table()
    for length in (10, 20_000, 500):
        table.put(b"query", (b"x" * length,), 1.0, TALLY)
        assert budget.bytes == ready_bytes(b"query", (b"x" * length,))


PUTS = st.tuples(st.integers(0, 1), st.binary(max_size=2), st.integers(0, 2000), st.integers(1, 8))


@given(st.integers(0, 20_000), st.lists(PUTS | st.just("clear"), max_size=60))
def test_the_budget_holds_whatever_is_put_there(bound: int, steps: list[tuple[int, bytes, int, int] | str]) -> None:
    budget = Budget(bound)
    tables = [budget.table(), budget.table()]
    latest: dict[tuple[int, bytes], int] = {}
    for step in steps:
        if isinstance(step, str):
            budget.clear()
        else:
            where, tail, length, orders = step
            replies = (b"x" * length,) * orders
            tables[where].put(tail, replies, 1.0, TALLY)
            latest[where, tail] = ready_bytes(tail, replies)
        kept = [size for (where, tail), size in latest.items() if tables[where].get(tail) is not None]
        assert budget.bytes == sum(kept) <= bound

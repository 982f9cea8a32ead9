"""Ready replies: each in turn, and all tables together within one budget whatever is put there."""

from hypothesis import given
from hypothesis import strategies as st

from resolver.cache.form import form_of
from resolver.cache.packets import Budget, Ready, ready_bytes
from resolver.cache.packets import ready_reply as made

TALLY = [0]


def ready_reply(*replies: bytes, until: float = 1.0) -> Ready:
    return made(replies, until, TALLY, form_of(b"key\0"))


def test_a_ready_reply_is_found_by_the_bytes_of_its_query() -> None:
    table = Budget(100_000).table()
    table.put(b"query", ready_reply(b"reply", until=7.5))
    ready = table.get(b"query")
    assert ready is not None
    assert (ready.next(), ready.until, ready.tally) == (b"reply", 7.5, TALLY)
    assert table.get(b"another") is None


def test_several_orders_of_a_reply_take_turns() -> None:
    table = Budget(100_000).table()
    table.put(b"query", ready_reply(b"ab", b"bc", b"ca"))
    ready = table.get(b"query")
    assert ready is not None
    assert [ready.next() for _ in range(5)] == [b"ab", b"bc", b"ca", b"ab", b"bc"]


def test_all_tables_are_emptied_when_the_budget_is_used_up() -> None:
    budget = Budget(4000)
    udp, tcp = budget.table(), budget.table()
    udp.put(b"first", ready_reply(b"x"))
    for number in range(20):
        tcp.put(b"%d" % number, ready_reply(b"x" * 100))
    assert udp.get(b"first") is None
    assert 0 < len(tcp) < 12
    assert tcp.get(b"19") is not None


def test_a_reply_that_would_take_most_of_the_budget_is_not_kept() -> None:
    budget = Budget(100_000)
    table = budget.table()
    table.put(b"small", ready_reply(b"x"))
    table.put(b"large", ready_reply(b"x" * 60_000))
    assert table.get(b"small") is not None
    assert table.get(b"large") is None


def test_a_reply_too_long_for_its_way_in_is_not_kept() -> None:
    table = Budget(100_000).table(1232)
    table.put(b"fits", ready_reply(b"x" * 1232))
    table.put(b"long", ready_reply(b"x" * 1233))
    assert table.get(b"fits") is not None
    assert table.get(b"long") is None


def test_a_reply_that_grew_is_accounted_for_anew() -> None:
    budget = Budget(1_000_000)
    table = budget.table()
    for length in (10, 20_000, 500):
        table.put(b"query", ready_reply(b"x" * length))
        assert budget.bytes == ready_bytes(b"query", ready_reply(b"x" * length))


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
            ready = ready_reply(*(b"x" * length,) * orders)
            tables[where].put(tail, ready)
            latest[where, tail] = ready_bytes(tail, ready)
        kept = [size for (where, tail), size in latest.items() if tables[where].get(tail) is not None]
        assert budget.bytes == sum(kept) <= bound


def test_replies_made_from_an_answer_are_forgotten_in_all_tables_and_their_bytes_with_them() -> None:
    budget = Budget(100_000)
    tables = [budget.table(), budget.table()]
    other = made((b"x",), 1.0, TALLY, form_of(b"other\0"))
    for table in tables:
        table.put(b"query", ready_reply(b"ab", b"bc"))
        table.put(b"kept", other)
    budget.forget(frozenset((b"key\0",)))
    assert [len(table) for table in tables] == [1, 1]
    assert budget.bytes == 2 * ready_bytes(b"kept", other)

"""What of a changed configuration is not done at once, and is said to be."""

from resolver.config import Config, load, restart_needed
from resolver.config.changes import RESTART
from resolver.config.schema import CONFIG, ZONE
from resolver.config.shape import Section

USED = "listen: {workers: 2, port: 54}\nnode: {user: nobody, notrack: true}\nlog: {level: debug}\n"


def test_what_waits_for_a_restart_is_what_the_table_of_keys_says() -> None:
    told = [
        (f"{topic.name}.{key.name}", topic.field, key.field)
        for topic in CONFIG.keys
        if isinstance(topic.value, Section)
        for key in topic.value.keys
        if key.restart
    ]
    assert list(RESTART) == told
    assert not any(key.restart for key in (*CONFIG.keys, *ZONE.keys))


def test_restart_is_needed_for_what_the_process_starts_with_only() -> None:
    old, new = Config(), load(USED, "f")
    assert restart_needed(old, new) == ("listen.workers", "node.notrack", "node.user")
    assert restart_needed(new, new) == ()

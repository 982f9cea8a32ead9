"""What of a changed configuration is not done at once, and is said to be."""

from resolver.config import Config, load, restart_needed

USED = "listen: {workers: 2, port: 54}\nnode: {user: nobody, notrack: true}\nlog: {level: debug}\n"


def test_restart_is_needed_for_what_the_process_starts_with_only() -> None:
    old, new = Config(), load(USED, "f")
    assert restart_needed(old, new) == ("listen.workers", "node.notrack", "node.user")
    assert restart_needed(new, new) == ()

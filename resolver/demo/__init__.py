"""A show of the resolver on loopback: `nodelocaldns-resolver --demo`.

An imagined cluster and an imagined outside world (`zones`, `server`), the real resolver in front of them, two pods
that look names up (`pod`, over `wire`), and the table of what happened (`story`, `table`). Nothing leaves the machine.
"""

from resolver.demo.story import Running, run

__all__ = ["Running", "run"]

"""`nodelocaldns-resolver doctor`: looks at a node and says in plain words what is wrong and what helps.

It needs no running resolver, changes nothing, and asks real questions: of the resolver's addresses, of each upstream,
and from a pod's network. Each check gives findings (`findings.py`); `command.py` runs them in order.
"""

"""Bytes to values and back: queries of clients, answers of servers, replies to clients. Pure, and no I/O.

This package is the only place (next to the demo) that may import dnslib; it does so in `text`, which shows records to
people. Paths that must be fast read packets by hand.
"""

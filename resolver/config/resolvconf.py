"""The nameservers of a resolv.conf, read the way libc reads them. Pure: text in, addresses out.

Only `nameserver` lines count here: search lists and options are the asking pod's business, not the cache's. A line that
libc would ignore is ignored, because this file belongs to the node and a stray line in it must not stop DNS.
"""


def parse_resolv_conf(text: str) -> tuple[str, ...]:
    """Return the nameservers of `text` as canonical IP addresses, in order, each once.

    A line counts if `nameserver` stands in its first column and an address follows after blanks; what comes after the
    address is ignored (resolv.conf(5)). IPv6 scope ids are kept, as in fe80::1%eth0. libc stops after three servers;
    we keep them all, the limit is an array in libc and not a property of the file.
    """
    found: dict[str, None] = {}
    for line in text.split("\n"):
        words = line.split(maxsplit=2)
        if line.startswith("nameserver") and words[0] == "nameserver" and len(words) > 1:  # first column, whole word
            address = _canonical(words[1])
            if address is not None:
                found[address] = None
    return tuple(found)


def parse_searches(text: str) -> tuple[str, ...]:
    """The search domains of `text` (its last `search` or `domain` line), lower-case and without their last dots.

    resolv.conf(5): of several such lines the last one counts.
    """
    found: tuple[str, ...] = ()
    for line in text.split("\n"):
        words = line.split()
        if words and line.startswith(words[0]):
            if words[0] == "search":
                found = tuple(word.rstrip(".").lower() for word in words[1:] if word != ".")
            elif words[0] == "domain" and len(words) > 1:
                found = (words[1].rstrip(".").lower(),)
    return found


def _canonical(word: str) -> str | None:
    from ipaddress import ip_address  # noqa: PLC0415 - 0.2 MiB for who has such a file

    try:
        return str(ip_address(word))
    except ValueError:
        return None

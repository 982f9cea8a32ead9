"""Every directive of every block, read or judged: the place where nothing may be passed over in silence."""

from resolver.migration import endpoints as ep
from resolver.migration.caching import read_cache
from resolver.migration.caddyfile import Block, Corefile, Directive
from resolver.migration.forwarding import Tell, read_forward
from resolver.migration.names import Key, is_below, read_key
from resolver.migration.plugins import judge
from resolver.migration.remarks import Grade, Source
from resolver.migration.tokens import Token
from resolver.migration.zones import Server


class Reading:
    """One pass over the blocks. `servers` fills in the rest: `found`, where it listens; `keys` of all blocks; `caches`,
    where `cache` stands.
    """

    def __init__(self, corefile: Corefile, told: Tell, source: Source) -> None:
        self._told = told
        self._source = source
        self.found = ep.Endpoints()
        self.caches: list[Token] = []
        self._corefile = corefile
        self.keys: list[tuple[Token, Key]] = []
        for each in corefile.imports:
            self._judge(each)

    def servers(self) -> list[Server]:
        read = [(block, self._keys(block)) for block in self._corefile.blocks]
        self.keys = [each for _, keys in read for each in keys]
        self.found.port = ep.choose_port(self.keys)
        owners: dict[str, Token] = {}
        return [server for block, keys in read if (server := self._server(block, keys, owners)).zones]

    def _keys(self, block: Block) -> list[tuple[Token, Key]]:
        found = []
        for token in block.keys:
            try:
                found.append((token, read_key(token.text)))
            except ValueError as error:
                self._told(token, f"zone {token.text}", Grade.LEFT_OUT, str(error))
        return found

    def _server(self, block: Block, keys: list[tuple[Token, Key]], owners: dict[str, Token]) -> Server:
        place = self._source.place(self._source.line(block.keys[0].line))
        server = Server({}, tell=self._told, origin=f"{place}: {' '.join(each.text for each in block.keys)}")
        for token, key in keys:
            self._take_key(token, key, server, owners)
        if not server.zones:
            return server  # what is said of zones that are left out goes with them
        binds = []
        for each in block.directives:
            match each.name.text:
                case "bind":
                    binds.append(each)
                case "forward":
                    self._forward(each, server)
                case _:
                    self._read(each, server)
        ep.read_bind(binds, block.keys[0], self.found, self._told)
        return server

    def _take_key(self, token: Token, key: Key, server: Server, owners: dict[str, Token]) -> None:
        subject = f"zone {token.text}"
        if key.scheme != "dns":
            self._told(token, subject, Grade.LEFT_OUT, "clients are answered over UDP and TCP here")
        elif key.port != self.found.port:
            self._told(
                token,
                subject,
                Grade.LEFT_OUT,
                f"all zones are answered on one port here, {self.found.port}: another needs a resolver of its own",
            )
        else:
            for zone in key.zones:
                if owners.setdefault(zone, token) is token:
                    server.zones[zone] = token
                else:
                    self._told(token, subject, Grade.LEFT_OUT, "the zone has a block already")

    def _forward(self, directive: Directive, server: Server) -> None:
        forward = read_forward(directive, self._told)
        if forward is None:
            return
        server.forwards.append(forward)
        options = {line.name.text for line in directive.body}
        if forward.transport == "udp" and "prefer_udp" not in options:
            self._told(
                directive.name,
                "forward",
                Grade.NOTE,
                "asked over UDP, and over TCP where an answer is cut off; CoreDNS asks as the client did",
            )
        if not any(is_below(forward.zone, zone) or is_below(zone, forward.zone) for zone in server.zones):
            self._told(
                directive.name, "forward", Grade.NOTE, f"{forward.zone} is not in this block, nothing is asked there"
            )

    def _read(self, directive: Directive, server: Server) -> None:
        match directive.name.text:
            case "cache":
                self.caches.append(directive.name)
                server.caching = read_cache(directive, self._told)
            case "prometheus":
                ep.read_metrics(directive, self.found, self._told)
            case "log":
                ep.read_log(directive, self.found, self._told)
            case "health":
                ep.read_health(directive, self.found, self._told)
            case _:
                self._judge(directive)

    def _judge(self, directive: Directive) -> None:
        grade, message = judge(directive)
        subject = directive.name.text
        self._told(
            directive.name, f"{subject} {' '.join(directive.words)}" if subject == "import" else subject, grade, message
        )

"""Servers, and the URLs by which toril reaches them; each is started when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import quote

from tests.servers.sentinels import Watched
from tests.servers.tls import TlsFront
from tests.support.valkey import Cluster, Program, Valkey

#: A user and a password with signs that a URL must quote.
USER, PASSWORD = "clerk", "s:e/c@r?t"


@dataclass(frozen=True, slots=True)
class Place:
    """A server, or several that act as one, and how to reach it.

    Attributes:
        url: As toril takes it.
        servers: All that may hold keys.
        db: In which of their databases.
        braces: Whether the prefix of a queue must have a hash tag.
    """

    url: str
    servers: tuple[Valkey, ...]
    db: int = 0
    braces: bool = False

    def stored_keys(self) -> list[str]:
        """All keys that toril has written here."""
        return [key for server in self.servers for key in server.keys(self.db)]


class Places:
    """Starts what tests ask for, once, with one server program; ends all of it at the end.

    Places that need the same kind of server share it.

    Attributes:
        clusters: Those that were started, by their number of nodes.
        watched: The servers that sentinels watch, if they were started.
    """

    def __init__(self, program: Program, stack: ExitStack) -> None:
        self.program = program
        self._stack = stack
        self._found: dict[str, Place] = {}
        self.clusters: dict[int, Cluster] = {}
        self.watched: Watched | None = None
        self._plain: Valkey | None = None
        self._locked: Valkey | None = None

    def find(self, name: str) -> Place:
        """The place of this name, see ``MAKERS``."""
        if name not in self._found:
            self._found[name] = MAKERS[name](self)
        return self._found[name]

    # --- servers ---

    def plain(self) -> Valkey:
        """A server without a password, with a socket."""
        if self._plain is None:
            server = Valkey("--unixsocket", "./server.sock", program=self.program)
            self._plain = self._stack.enter_context(server)
        return self._plain

    def locked(self) -> Valkey:
        """A server where the default user has a password, and another user may touch queues only."""
        if self._locked is None:
            login = ("default", PASSWORD)
            server = Valkey("--requirepass", PASSWORD, program=self.program, login=login)
            self._locked = self._stack.enter_context(server)
            rules = ("on", f">{PASSWORD}", "~test*", "&*", "+@all", "-@admin", "+client|setname")
            self._locked.command("ACL", "SETUSER", USER, *rules)
        return self._locked

    # --- places ---

    def tcp(self) -> Place:
        return Place(self.plain().url, (self.plain(),))

    def path_db(self) -> Place:
        return Place(f"{self.plain().url}/3", (self.plain(),), db=3)

    def query_db(self) -> Place:
        return Place(f"{self.plain().url}?db=4", (self.plain(),), db=4)

    def unix(self) -> Place:
        server = self.plain()
        return Place(f"unix://{server.home}/server.sock", (server,))

    def unix_db(self) -> Place:
        server = self.plain()
        return Place(f"unix://{server.home}/server.sock?db=5", (server,), db=5)

    def password(self) -> Place:
        return Place(f"redis://:{quote(PASSWORD, safe='')}@{self.locked().place}", (self.locked(),))

    def user(self) -> Place:
        login = f"{USER}:{quote(PASSWORD, safe='')}"
        return Place(f"redis://{login}@{self.locked().place}/6", (self.locked(),), db=6)

    def tls(self) -> Place:
        front = self._stack.enter_context(TlsFront(self.plain().port))
        url = f"rediss://localhost:{front.port}/7?ssl_ca_certs={quote(str(front.certificate))}"
        return Place(url, (self.plain(),), db=7)

    def sentinel(self) -> Place:
        # Nothing is to fail over here, however busy the machine is.
        watched = self.watched = self._stack.enter_context(Watched(self.program, patience_ms=60_000))
        return Place(f"{watched.url}/2", (watched.primary,), db=2)

    def cluster(self) -> Place:
        return self._cluster(1)

    def cluster3(self) -> Place:
        return self._cluster(3)

    def _cluster(self, count: int) -> Place:
        cluster = self.clusters[count] = self._stack.enter_context(Cluster(count, self.program))
        return Place(cluster.url, tuple(cluster.nodes), braces=True)


#: All places, by the names that tests show.
MAKERS: dict[str, Callable[[Places], Place]] = {
    "redis": Places.tcp,
    "redis/3": Places.path_db,
    "redis?db=4": Places.query_db,
    "unix": Places.unix,
    "unix?db=5": Places.unix_db,
    "password": Places.password,
    "user+password": Places.user,
    "rediss": Places.tls,
    "sentinel": Places.sentinel,
    "cluster-1-node": Places.cluster,
    "cluster-3-nodes": Places.cluster3,
}

#: One place for each kind of connection.
KINDS = ("redis", "unix", "user+password", "rediss", "sentinel", "cluster-1-node", "cluster-3-nodes")

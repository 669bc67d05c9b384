"""What befalls the service and its server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from random import Random

from tests.soak.excuses import during
from tests.soak.stage import Stage

#: Makes trouble, and returns when the worst of it is over.
Trouble = Callable[[Stage, Random], None]


def kill_process(stage: Stage, random: Random) -> None:
    """A worker process is killed in the middle of its jobs; its supervisor starts another."""
    stage.kill(random.choice(stage.service.eventually(stage.busy_workers)))


def kill_child(stage: Stage, random: Random) -> None:
    """A child in which handlers run is killed; an attempt fails if one ran."""
    if found := stage.children():
        stage.excuses.killed_children += 1
        stage.kill(random.choice(found))


def kill_supervisor(stage: Stage, random: Random) -> None:
    """The supervisor is killed, and a new one is started."""
    stage.replace_supervisor()


def deploy(stage: Stage, random: Random) -> None:
    """A new service starts; then the old one is stopped."""
    old, stage.service = stage.service, stage.begin()
    stage.service.started()
    stage.leave(old, random.choice([signal.SIGTERM, signal.SIGINT]))


def replace(stage: Stage, random: Random) -> None:
    """The supervisor replaces its processes, one at a time."""
    stage.release()
    message = "all processes were replaced"
    before = len(stage.service.logged(message))
    with during(stage.excuses.stops):
        stage.service.send(signal.SIGHUP)
        stage.service.wait_for(message, before + 1)


def reload(stage: Stage, random: Random) -> None:
    """A service under development takes part; its module is saved, and it starts anew."""
    service = stage.begin("--reload")
    service.started()
    before = {child.pid for child in service.children()}
    with during(stage.excuses.stops):
        stage.release()
        service.wait_for("reloading")
        service.eventually(lambda: (now := service.children()) and before.isdisjoint(one.pid for one in now))
    stage.leave(service, signal.SIGTERM)


def cut_connections(stage: Stage, random: Random) -> None:
    """All connections are cut."""
    with during(stage.excuses.outages):
        stage.server.command("CLIENT", "KILL", "TYPE", "normal")


def freeze_server(stage: Stage, random: Random) -> None:
    """The server does not answer for a while, at times for longer than locks last and adds are tried."""
    with during(stage.excuses.outages):
        stage.server.freeze()
        time.sleep(random.uniform(0.5, 12))
        stage.server.thaw()


def restart_server(stage: Stage, random: Random) -> None:
    """The server is stopped in order, and started after a while."""
    with during(stage.excuses.outages):
        stage.server.stop()
        time.sleep(random.uniform(0, 1))
        stage.server.start()


def kill_server(stage: Stage, random: Random) -> None:
    """The server is killed, and started again; it has what it acknowledged."""
    with during(stage.excuses.outages):
        stage.server.kill()
        stage.server.start()


TROUBLES: tuple[Trouble, ...] = (
    kill_process,
    kill_child,
    kill_supervisor,
    deploy,
    replace,
    reload,
    cut_connections,
    freeze_server,
    restart_server,
    kill_server,
)


def at_random(random: Random) -> Iterator[Trouble]:
    """All troubles in some order, then all in another one, and so on."""
    while True:
        yield from random.sample(TROUBLES, len(TROUBLES))

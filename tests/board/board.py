"""bull-board as a process, and what its pages ask for."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from tests.support.eventually import eventually_sync

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent.parent / "docs"

# The program that the documentation shows is the one that is tested.
_PROGRAM = re.compile(r"^```js\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# So that no board outlives the tests, however they end.
_END = 'process.stdin.resume().on("end", () => process.exit());'

# Seconds for the board to start, and for one answer.
_START, _ANSWER = 20.0, 10.0


class Refused(Exception):
    """The board did not do what it was asked.

    Attributes:
        status: HTTP status of the answer.
        body: What it says.
    """

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Board:
    """A bull-board over all queues of the server at this URL: the program of the page on dashboards."""

    def __init__(self, url: str) -> None:
        [program] = _PROGRAM.findall((DOCS / "how-to" / "dashboards.md").read_text())
        command = ["node", "--input-type=module", "--eval", program + _END]
        environment = {**os.environ, "REDIS_URL": url, "PORT": "0"}
        self._process = subprocess.Popen(command, cwd=FOLDER, env=environment, stdin=PIPE, stdout=PIPE)
        try:
            assert self._process.stdout
            told = self._process.stdout.readline().decode().strip()
            self._base = told.replace("localhost", "127.0.0.1")
            assert self._base.startswith("http://127.0.0.1:"), f"the board did not start: {told!r}"
            eventually_sync(self._answers, _START)
        except BaseException:
            self.end()
            raise

    def _answers(self) -> bool:
        try:
            return "queues" in self._ask("GET", "/api/queues", None)
        except URLError:
            return False

    def _ask(self, method: str, path: str, body: Any) -> Any:
        text = self._read(method, path, body)
        return json.loads(text) if text else None

    def _read(self, method: str, path: str, body: Any = None) -> bytes:
        request = Request(self._base + path, method=method)
        if method != "GET":
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps({} if body is None else body).encode()
        try:
            with urlopen(request, timeout=_ANSWER) as response:
                return response.read()
        except HTTPError as error:
            with error:
                raise Refused(error.code, json.loads(error.read())) from None

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request.

        Raises:
            Refused: It was no success.
        """
        return await asyncio.to_thread(self._ask, method, path, body)

    async def html(self, path: str) -> str:
        """A page as a browser gets it."""
        return (await asyncio.to_thread(self._read, "GET", path)).decode()

    async def queues(self) -> dict[str, Any]:
        """All queues of the overview, by the names they have there."""
        return {queue["name"]: queue for queue in (await self.ask("GET", "/api/queues"))["queues"]}

    def end(self) -> None:
        """See to it that nothing is left of it."""
        self._process.kill()
        self._process.wait(_ANSWER)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class Shown:
    """One queue on the board.

    Attributes:
        name: What it is called there.
    """

    def __init__(self, board: Board, name: str) -> None:
        self._board = board
        self.name = name
        self._path = f"/api/queues/{quote(name, safe='')}"

    async def page(self, status: str = "latest", page: int = 1, per_page: int = 50) -> Any:
        """The queue with a page of its jobs in a state."""
        query = {"activeQueue": self.name, "status": status, "page": page, "jobsPerPage": per_page}
        answer = await self._board.ask("GET", f"/api/queues?{urlencode(query)}")
        return next(queue for queue in answer["queues"] if queue["name"] == self.name)

    async def ids(self, status: str, page: int = 1, per_page: int = 50) -> list[str]:
        """The ids on a page of its jobs, in the order shown."""
        return [job["id"] for job in (await self.page(status, page, per_page))["jobs"]]

    async def counts(self) -> dict[str, int]:
        """How many jobs there are in each state that has some."""
        counts = (await self._board.queues())[self.name]["counts"]
        return {status: count for status, count in counts.items() if count}

    async def get(self, *parts: str) -> Any:
        """Something of the queue: ``get("workers")``, ``get(job_id, "logs")``."""
        return await self._board.ask("GET", self._at(parts))

    async def put(self, *parts: str, **body: Any) -> Any:
        """Let the board do something, with the parameters that it wants in the body."""
        return await self._board.ask("PUT", self._at(parts), body)

    async def patch(self, *parts: str, **body: Any) -> None:
        """Let the board change something."""
        await self._board.ask("PATCH", self._at(parts), body)

    async def add(self, name: str, data: Any = None, **options: Any) -> Any:
        """Let the board add a job with BullMQ's own options; gives it as the board shows it."""
        body = {"name": name, "data": data, "options": options}
        return (await self._board.ask("POST", f"{self._path}/add", body))["job"]

    async def job(self, id: str) -> Any:
        """The page of a job, with its ``status``."""
        answer = await self.get(id)
        return answer["job"] | {"status": answer["status"]}

    def _at(self, parts: tuple[str, ...]) -> str:
        return "/".join([self._path, *(quote(part, safe="") for part in parts)])

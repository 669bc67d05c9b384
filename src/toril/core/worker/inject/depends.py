"""How a parameter says that it wants something made for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

from toril.errors import OptionError

#: How long a resource lives: as long as its worker, or as one run of a job.
Scope = Literal["worker", "job"]


@dataclass(frozen=True, slots=True)
class Depends:
    """Marks a parameter of a handler, or of another such function: ``Annotated[Pool, Depends(make_pool)]``.

    Args:
        make: Makes the resource: a function, plain or ``async``; a generator function, plain or ``async``,
            which cleans up behind its ``yield``; or what makes a context manager, which is entered. Its own
            parameters may be marked in the same way.
        scope: ``"worker"`` makes it once, when the worker starts, for all jobs; ``"job"`` anew for each run.

    Raises:
        OptionError: ``make`` can't be called, or there is no such scope.
    """

    make: Callable[..., Any]
    _: KW_ONLY
    scope: Scope = "worker"

    def __post_init__(self) -> None:
        if not callable(self.make):
            raise OptionError("make", self.make, "can't be called; give the function that makes the resource")
        try:
            hash(self.make)
        except TypeError:
            problem = "must be hashable: handlers share a resource by what makes it"
            raise OptionError("make", self.make, problem) from None
        if self.scope not in get_args(Scope):
            raise OptionError.no_such("scope", self.scope, get_args(Scope))

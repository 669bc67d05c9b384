"""``toril top``: taking samples (``sampling``) and showing them (``screen``) know nothing of each other."""

from toril.cli.top.command import top

__all__ = ["top"]

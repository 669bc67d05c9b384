"""The queue for blocking code: Django, Flask, scripts, notebooks.

The classes have the names and the verbs of the async ones; each call waits for its answer. They may be used
from any thread, and after a fork. One event loop in a thread of its own serves all of them.
"""

from toril.core.blocking import BlockingJob as Job
from toril.core.queue import JobSpec
from toril.sync.discovery import list_queues
from toril.sync.queue import Queue

__all__ = ["Job", "JobSpec", "Queue", "list_queues"]

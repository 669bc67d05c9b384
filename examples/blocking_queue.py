"""The queue for blocking code: Django, Flask, scripts, notebooks. No event loop is in sight."""

from __future__ import annotations

from datetime import timedelta

from toril import JobSpec
from toril.sync import Queue

# Made once, where a module is imported; it connects when it is used, from any thread, and after a fork.
queue = Queue("reports", default_job_options={"attempts": 3})


def view(month: str) -> str:
    """What a web framework would call: it adds a job, and does not wait for it."""
    job = queue.add("report", {"month": month}, job_id=f"report-{month}", delay=timedelta(minutes=10))
    return f"{job.id}: {job.state()}"


print(view("2030-01"))
print(view("2030-01"))
queue.add_many([("report", {"month": "2030-02"}), JobSpec("report", {"month": "2030-03"}, {"priority": 5})])
for state, number in queue.get_job_counts("waiting", "prioritized", "delayed").items():
    print(number, state)

report = queue.get_job("report-2030-01")
if report is not None:
    report.promote()
    print(report.data, report.opts["attempts"], report.state())

for job in queue.get_jobs(("waiting", "prioritized")):
    job.remove()
queue.close()

# Output:
# report-2030-01: delayed
# report-2030-01: delayed
# 1 waiting
# 1 prioritized
# 1 delayed
# {'month': '2030-01'} 3 waiting

"""The workers that the deployments beside this file run: ``toril worker tasks:workers``."""

from __future__ import annotations

from toril import Job, Worker


async def send(job: Job) -> str:
    return f"sent to {job.data['to']}"


def resize(job: Job) -> str:
    return f"resized {job.data['path']}"


workers = [Worker("mail", send, concurrency=50), Worker("images", resize, concurrency=4)]

"""Every kind of deduplication, met by an owner in every state it can be in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.teller import Teller
from tests.support.clock import START_MS
from tests.support.database import Database, Stored
from toril import Dedup
from toril.store.values import Added, Finish

OWNER_DELAY, NEW_DELAY = 60, 30
OWNER_TTL, NEW_TTL = 600, 6000

RULES: dict[str, dict[str, Any]] = {
    "simple": {},
    "throttle": {"ttl": NEW_TTL},
    "extend": {"ttl": NEW_TTL, "extend": True},
    "replace": {"replace": True},
    "replace-ttl": {"replace": True, "ttl": NEW_TTL},
    "debounce": {"replace": True, "ttl": NEW_TTL, "extend": True},
    "reschedule": {"reschedule": True},
    "reschedule-ttl": {"reschedule": True, "ttl": NEW_TTL},
    "reschedule-replace": {"reschedule": True, "replace": True},
    "keep": {"keep_last_if_active": True},
    "keep-ttl": {"keep_last_if_active": True, "ttl": NEW_TTL},
    "keep-extend": {"keep_last_if_active": True, "ttl": NEW_TTL, "extend": True},
    "keep-replace": {"keep_last_if_active": True, "replace": True},
    "keep-reschedule": {"keep_last_if_active": True, "reschedule": True},
}

# What becomes of the job that is added: it is `new`; `dropped`, with or without (`quiet`) a word to the event
# stream; dropped and the owner `moved` to its time; in place of the owner (`replaced`); kept as the `next`.
STATES = ("absent", "waiting", "delayed", "active", "finished", "removed", "stale")
TABLE = {
    #                    absent  waiting    delayed     active     finished   removed  stale
    "simple":             "new   dropped    dropped     dropped    new        new      new",
    "throttle":           "new   dropped    dropped     dropped    dropped    new      dropped",
    "extend":             "new   dropped    dropped     dropped    dropped    new      dropped",
    "replace":            "new   quiet      replaced    quiet      new        new      new",
    "replace-ttl":        "new   quiet      replaced    quiet      quiet      new      quiet",
    "debounce":           "new   quiet      replaced    quiet      quiet      new      quiet",
    "reschedule":         "new   dropped    moved       dropped    new        new      new",
    "reschedule-ttl":     "new   dropped    moved       dropped    dropped    new      dropped",
    "reschedule-replace": "new   quiet      replaced    quiet      new        new      new",
    "keep":               "new   dropped    dropped     next       new        new      new",
    "keep-ttl":           "new   dropped    dropped     next       new        new      new",
    "keep-extend":        "new   dropped    dropped     next       new        new      new",
    "keep-replace":       "new   quiet      replaced    next       new        new      new",
    "keep-reschedule":    "new   dropped    moved       next       new        new      new",
}  # fmt: skip
CASES = [
    (rule, state, outcome)
    for rule, row in TABLE.items()
    for state, outcome in zip(STATES, row.split(), strict=True)
]

# The time to live that the owner's key has afterwards: that of the new job, of the owner's, or none.
NEW, OLD, ENDLESS = "new", "old", "endless"


def expected_ttl(rule: dict[str, Any], outcome: str) -> str:
    if rule.get("keep_last_if_active") or "ttl" not in rule:
        return ENDLESS
    if outcome == "new" or (rule.get("extend") and (outcome == "replaced" or not rule.get("replace"))):
        return NEW
    return OLD


def found_ttl(stored: Stored) -> str:
    if stored.ttl_ms < 0:
        return ENDLESS
    return NEW if stored.ttl_ms > OWNER_TTL * 1000 else OLD


async def bring(teller: Teller, database: Database, rule: dict[str, Any], state: str) -> None:
    """An owner of the deduplication id in this state."""
    if state == "absent":
        return
    own_rule: dict[str, Any] = rule | ({"ttl": OWNER_TTL} if "ttl" in rule else {})
    options = {"delay": OWNER_DELAY} if state == "delayed" else {}
    await teller.add(job_id="owner", deduplication=Dedup("d", **own_rule), **options)
    if state in ("active", "finished"):
        assert await teller.take() == ["owner"]
    if state == "finished":
        assert await teller.settle(Finish("owner", "token", "completed", "1")) == [0]
    if state == "removed":
        await teller.store.jobs.remove(teller.queue, "owner", with_children=True)
    if state == "stale":
        database.command("DEL", teller.key("owner"), teller.key("wait"))


async def add(teller: Teller, rule: dict[str, Any]) -> Added:
    job = teller.job(job_id="new", delay=NEW_DELAY, deduplication=Dedup("d", **rule))
    return await teller.store.jobs.add(teller.queue, job)


def told_after(before: list[dict[str, str]], after: list[dict[str, str]]) -> list[str]:
    """The events that came, each as its name and what it says of jobs."""
    assert after[: len(before)] == before
    return [
        " ".join(filter(None, (event["event"], event.get("jobId"), event.get("deduplicatedJobId"))))
        for event in after[len(before) :]
    ]


EVENTS = {
    "new": ["added new", "delayed new"],
    "dropped": ["deduplicated owner new"],
    "quiet": [],
    "moved": ["deduplicated owner new", "delayed owner"],
    "replaced": ["removed owner", "deduplicated new owner", "added new", "delayed new"],
    "next": ["deduplicated owner new"],
}


@pytest.mark.parametrize(("name", "state", "outcome"), CASES)
async def test_what_becomes_of_a_job(
    teller: Teller, database: Database, name: str, state: str, outcome: str
) -> None:
    rule = RULES[name]
    await bring(teller, database, rule, state)
    before = database.events(teller.queue.base)

    added = await add(teller, rule)

    survivor = "new" if outcome in ("new", "replaced") else "owner"
    assert added.id == survivor
    assert told_after(before, database.events(teller.queue.base)) == EVENTS[outcome]
    stored = database.dump()
    key = stored[teller.key("de:d")]
    assert key.value == survivor
    assert found_ttl(key) == expected_ttl(rule, outcome)
    assert (teller.key("new") in stored) == (survivor == "new")
    assert (teller.key("dn:d") in stored) == (outcome == "next")
    if outcome == "replaced":
        assert teller.key("owner") not in stored
    if outcome == "moved":
        due = (START_MS + NEW_DELAY * 1000) * 4096
        assert int(stored[teller.key("delayed")].value["owner"]) == due
        assert stored[teller.key("owner")].value["delay"] == str(NEW_DELAY * 1000)


@pytest.mark.parametrize("target", ["completed", "failed"])
async def test_the_latest_that_was_kept_follows_the_owner(
    teller: Teller, database: Database, target: str
) -> None:
    rule = RULES["keep-ttl"]
    await bring(teller, database, rule, "active")
    for name in ("first", "second", "third"):
        job = teller.job(job_id=name, priority=2, deduplication=Dedup("d", **rule))
        assert (await teller.store.jobs.add(teller.queue, job)).id == "owner"

    await teller.settle(Finish("owner", "token", target, "1"))

    stored = database.dump()
    assert teller.key("dn:d") not in stored
    assert stored[teller.key("de:d")] == Stored("string", "third")
    assert await teller.state("third") == "prioritized"
    assert [name for name in ("first", "second") if teller.key(name) in stored] == []
    assert await teller.take() == ["third"]
    await teller.settle(Finish("third", "token", "completed", "1"))
    assert teller.key("de:d") not in database.dump()


async def test_what_was_kept_goes_with_an_owner_that_is_removed(teller: Teller, database: Database) -> None:
    await bring(teller, database, RULES["keep"], "active")
    await add(teller, RULES["keep"])
    database.command("DEL", teller.key("owner:lock"))

    assert await teller.store.jobs.remove(teller.queue, "owner", with_children=True)
    stored = database.dump()
    assert {teller.key("de:d"), teller.key("dn:d"), teller.key("new")} & set(stored) == set()


async def test_a_finished_job_does_not_free_what_a_later_one_holds(
    teller: Teller, database: Database
) -> None:
    await bring(teller, database, RULES["simple"], "active")
    assert await teller.store.removals.remove_deduplication_key(teller.queue, "d")
    assert (await add(teller, RULES["simple"])).id == "new"

    await teller.settle(Finish("owner", "token", "completed", "1"))
    await teller.store.jobs.remove(teller.queue, "owner", with_children=True)
    assert database.dump()[teller.key("de:d")].value == "new"


@pytest.mark.parametrize("verb", ["drain", "clean", "obliterate"])
async def test_an_id_is_free_when_its_owner_is_removed_with_many(
    teller: Teller, database: Database, verb: str
) -> None:
    await bring(teller, database, RULES["throttle"], "waiting")
    removals, queue = teller.store.removals, teller.queue
    if verb == "drain":
        await removals.drain(queue, delayed=False)
    elif verb == "clean":
        assert await removals.clean(queue, "wait", START_MS, 0) == ["owner"]
    else:
        await teller.store.queues.pause(queue)
        await removals.obliterate(queue, 10, force=False, everything=False)

    assert teller.key("de:d") not in database.dump()
    assert (await add(teller, RULES["throttle"])).id == "new"

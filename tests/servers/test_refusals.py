"""Servers that don't let us in, and what toril says then."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.servers.adding import add_one
from tests.servers.places import PASSWORD, USER, Places
from tests.servers.tls import TlsFront
from toril import Queue
from toril.errors import OptionError, StoreMisconfigured, StoreUnavailable


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:wrong@", f"{USER}:wrong@"])
async def test_a_login_that_is_wrong(places: Places, login: str) -> None:
    with pytest.raises(StoreMisconfigured, match="refuses us"):
        await add_one(f"redis://{login}{places.locked().place}")

    assert places.locked().command("KEYS", "bull:tests:*") == []


async def test_a_user_who_may_not_touch_these_keys(places: Places) -> None:
    login = f"{USER}:{quote(PASSWORD, safe='')}"
    with pytest.raises(StoreMisconfigured, match="refuses us: NOPERM"):
        await add_one(f"redis://{login}@{places.locked().place}", prefix="other")

    assert places.locked().command("KEYS", "other:*") == []


async def test_a_database_that_does_not_exist(places: Places) -> None:
    with pytest.raises(StoreMisconfigured, match="DB index"):
        await add_one(f"{places.plain().url}/9999")


async def test_a_certificate_that_nobody_vouches_for(places: Places) -> None:
    server = places.plain()
    with TlsFront(server.port) as front:
        with pytest.raises(StoreUnavailable, match="certificate"):
            await add_one(f"rediss://localhost:{front.port}")
        assert front.handshakes == 0

        await add_one(f"rediss://localhost:{front.port}/8?ssl_cert_reqs=none")
        assert front.handshakes == 1

    assert "bull:tests:1" in server.keys(db=8)


async def test_one_front_more_takes_nothing_from_another(places: Places) -> None:
    trusted = places.find("rediss")
    with TlsFront(places.plain().port) as other, pytest.raises(StoreUnavailable, match="certificate"):
        await add_one(trusted.url.replace(trusted.url.split("/")[2], f"localhost:{other.port}"))

    assert (await add_one(trusted.url, "trusted")).queue_name == "trusted"


async def test_a_socket_that_is_not_there(places: Places) -> None:
    with pytest.raises(StoreUnavailable, match=r"no\.sock"):
        await add_one(f"unix://{places.plain().home}/no.sock")


@pytest.mark.parametrize("url", ["redis+sentinel://localhost", "http://localhost", "redis://:secret@host/x"])
async def test_an_url_that_can_not_be_read(url: str) -> None:
    with pytest.raises(OptionError) as refusal:
        await Queue("tests", url=url).ready()

    assert "secret" not in str(refusal.value)

"""A session as the `auth` of `httpx`, in its synchronous and its asynchronous clients."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import anyio
import httpx
import planetkey
import pytest

from loopback import CHALLENGE, NO_TOKEN, Loopback

BODY = b"x" * 5000


def credential(response: httpx.Response) -> str:
    response.raise_for_status()
    seen = response.json()["credential"]
    assert isinstance(seen, str)
    return seen


def test_each_host_gets_its_credential(loopback: Loopback) -> None:
    session = loopback.both()
    assert credential(httpx.get(loopback.planet, auth=session)) == "api_key_basic"
    with httpx.Client(auth=session) as client:
        assert credential(client.get(loopback.sentinel_hub)) == "bearer"
        assert credential(client.post(loopback.sentinel_hub, json={"a": 1})) == "bearer"
        # As with every `auth` of `httpx`.
        assert client.get(loopback.sentinel_hub, auth=None).status_code == 401


def test_it_is_an_auth_of_httpx(loopback: Loopback) -> None:
    session = loopback.key()
    assert isinstance(session, httpx.Auth)
    assert isinstance(session, planetkey.Session)
    assert not isinstance(session, httpx.Client)
    assert type(session) is planetkey.Session


def test_a_single_request_can_be_authorized(loopback: Loopback) -> None:
    request = httpx.Request("GET", loopback.planet)
    assert loopback.key()(request) is request
    with httpx.Client() as client:
        assert credential(client.send(request)) == "api_key_basic"


@pytest.mark.parametrize("transport", ["basic", "header", "query"])
def test_an_api_key_goes_where_it_may(
    loopback: Loopback, transport: Literal["basic", "header", "query"]
) -> None:
    session = loopback.key(transport)
    # Another credential in a header would be a second one.
    headers = {"Authorization": "Bearer other"}
    assert (
        credential(httpx.get(loopback.planet, auth=session, headers=headers))
        == f"api_key_{transport}"
    )
    for url in (loopback.sentinel_hub, loopback.foreign):
        with pytest.raises(planetkey.HostRefusedError):
            httpx.get(url, auth=session)
    assert loopback.requests("sentinel_hub_api") == loopback.requests("as.other") == 0


def test_a_header_replaces_a_key_in_the_url(loopback: Loopback) -> None:
    url = loopback.key().signed_url(loopback.planet)
    assert credential(httpx.get(url, auth=loopback.key())) == "api_key_basic"


def test_a096_a_revoked_token_is_refreshed_and_the_request_repeated(loopback: Loopback) -> None:
    with httpx.Client(auth=loopback.m2m()) as client:
        client.get(loopback.sentinel_hub).raise_for_status()
        loopback.revoke()
        response = client.get(loopback.sentinel_hub)
        assert credential(response) == "bearer"
        assert [before.status_code for before in response.history] == [401]
        assert credential(client.get(loopback.sentinel_hub)) == "bearer"
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 4)


def test_i10_29_it_is_combined_with_other_auth_classes(loopback: Loopback) -> None:
    session = loopback.m2m()
    assert isinstance(session, httpx.Auth)

    class Both(httpx.Auth):
        requires_request_body = session.requires_request_body
        requires_response_body = session.requires_response_body

        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
            request.headers["X-Own"] = "1"
            yield from session.auth_flow(request)

    with httpx.Client(auth=Both()) as client:
        client.get(loopback.sentinel_hub).raise_for_status()
        loopback.revoke()
        response = client.get(loopback.sentinel_hub)
    assert credential(response) == "bearer"
    assert response.request.headers["X-Own"] == "1"
    members = {name for name in vars(httpx.Auth) if not name.startswith("_")}
    assert members <= set(dir(session))


def test_it_is_repeated_once(loopback: Loopback) -> None:
    loopback.simulator.script("sentinel_hub_api", CHALLENGE, repeat=True)
    assert httpx.get(loopback.sentinel_hub, auth=loopback.m2m()).status_code == 401
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 2)


def test_a_response_that_a_new_token_cannot_change_is_final(loopback: Loopback) -> None:
    session = loopback.both()
    loopback.simulator.settings(api_keys=["another"])
    forbidden = loopback.simulator.sentinel_hub_api + "/forbidden"
    for url, status in ((forbidden, 403), (loopback.planet, 401)):
        assert httpx.get(url, auth=session).status_code == status
    assert loopback.token_requests == 1
    assert loopback.requests("planet_api") == loopback.requests("sentinel_hub_api") == 1
    assert httpx.get(loopback.planet, auth=loopback.key("query")).status_code == 401
    assert loopback.requests("planet_api") == 2


ONE_CONNECTION = httpx.Limits(max_connections=1)


def test_a_refresh_that_fails_releases_the_connection(loopback: Loopback) -> None:
    with httpx.Client(auth=loopback.m2m(), limits=ONE_CONNECTION) as client:
        client.get(loopback.sentinel_hub).raise_for_status()
        loopback.revoke()
        loopback.simulator.script("m2m.token", NO_TOKEN)
        with pytest.raises(planetkey.ProtocolError) as caught:
            client.get(loopback.sentinel_hub)
        assert client.get(loopback.sentinel_hub, auth=None).status_code == 401
    # It lived until here, and all that it refers to.
    assert caught.value.__traceback__ is not None


def lines() -> Iterator[bytes]:
    yield BODY


@pytest.mark.parametrize("kind", ["bytes", "file", "lines"])
def test_a_body_is_sent_again_if_it_is_in_memory(
    loopback: Loopback, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    session = loopback.m2m()
    session.access_token()
    loopback.revoke()
    with file.open("rb") as opened:
        contents: dict[str, bytes | Iterable[bytes]] = {
            "bytes": BODY,
            "file": opened,
            "lines": lines(),
        }
        content = contents[kind]
        response = httpx.post(loopback.sentinel_hub, content=content, auth=session)
    assert response.status_code == (200 if kind == "bytes" else 401)
    assert loopback.requests("sentinel_hub_api") == (2 if kind == "bytes" else 1)
    # In any case the next request has another token.
    httpx.get(loopback.sentinel_hub, auth=session).raise_for_status()
    assert loopback.token_requests == 2


def test_a095_a_redirect_to_a_foreign_host_carries_nothing(loopback: Loopback) -> None:
    # The foreign host would like to have it.
    loopback.simulator.script("as.other", CHALLENGE, repeat=True)
    with httpx.Client(auth=loopback.both(), follow_redirects=True) as client:
        for start in (loopback.planet, loopback.sentinel_hub):
            assert client.get(loopback.redirect(start, loopback.foreign)).status_code == 401
    assert loopback.authorizations("as.other") == [None, None]
    assert loopback.token_requests == 1


def test_a_redirect_to_the_other_domain_gets_what_may_go_there(loopback: Loopback) -> None:
    url = loopback.redirect(loopback.planet, loopback.sentinel_hub)
    assert credential(httpx.get(url, auth=loopback.both(), follow_redirects=True)) == "bearer"
    assert httpx.get(url, auth=loopback.key(), follow_redirects=True).status_code == 401
    bare, bearer, alone = loopback.authorizations("sentinel_hub_api")
    assert bare is alone is None
    assert (bearer or "").startswith("Bearer ")


def test_a_key_in_the_url_is_not_lost_by_a_redirect(loopback: Loopback) -> None:
    with httpx.Client(auth=loopback.key("query"), follow_redirects=True) as client:
        assert (
            credential(client.get(loopback.redirect(loopback.planet, loopback.planet)))
            == "api_key_query"
        )
        # Not where the other server would like to have it, either.
        loopback.simulator.script("as.other", CHALLENGE, repeat=True)
        assert client.get(loopback.redirect(loopback.planet, loopback.foreign)).status_code == 401
    assert loopback.queries("as.other") == [None]


def test_netrc_does_not_replace_the_credential(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.write_netrc()
    monkeypatch.setenv("NETRC", str(loopback.home / ".netrc"))
    with httpx.Client(auth=loopback.both(), trust_env=True) as client:
        assert credential(client.get(loopback.planet)) == "api_key_basic"
        assert credential(client.get(loopback.sentinel_hub)) == "bearer"
    assert loopback.requests("sentinel_hub_api") == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asynchronous_clients(loopback: Loopback, backend: str) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(auth=loopback.both(), follow_redirects=True) as client:
            assert credential(await client.get(loopback.planet)) == "api_key_basic"
            assert credential(await client.get(loopback.sentinel_hub)) == "bearer"
            loopback.revoke()
            response = await client.post(loopback.sentinel_hub, json={"a": 1})
            assert credential(response) == "bearer"
            assert [before.status_code for before in response.history] == [401]
            assert credential(await client.get(loopback.sentinel_hub)) == "bearer"
            await client.get(loopback.redirect(loopback.sentinel_hub, loopback.foreign))
            with pytest.raises(planetkey.HostRefusedError):
                await client.get(loopback.foreign)

    anyio.run(main, backend=backend)
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 5)
    assert loopback.authorizations("as.other") == [None]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_invalid_url_is_an_error_as_in_every_adapter(loopback: Loopback, backend: str) -> None:
    url = loopback.planet.replace("http://", "ftp://")
    with pytest.raises(planetkey.InvalidArgumentError):
        httpx.get(url, auth=loopback.both())

    async def main() -> None:
        async with httpx.AsyncClient(auth=loopback.both()) as client:
            with pytest.raises(planetkey.InvalidArgumentError):
                await client.get(url)

    anyio.run(main, backend=backend)
    assert loopback.requests("planet_api") == 0


def test_many_tasks_share_one_refresh(loopback: Loopback) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(auth=loopback.m2m()) as client:
            for _ in range(2):
                answers = await asyncio.gather(
                    *(client.get(loopback.sentinel_hub) for _ in range(8))
                )
                assert [answer.status_code for answer in answers] == [200] * 8
                loopback.revoke()

    asyncio.run(main())
    assert loopback.token_requests == 2


async def parts() -> AsyncIterator[bytes]:
    yield BODY


def test_an_asynchronous_body_cannot_be_sent_again(loopback: Loopback) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(auth=loopback.m2m()) as client:
            await client.get(loopback.sentinel_hub)
            loopback.revoke()
            assert (await client.post(loopback.sentinel_hub, content=parts())).status_code == 401
            assert (await client.post(loopback.sentinel_hub, content=parts())).status_code == 200

    asyncio.run(main())
    assert loopback.token_requests == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_f109_waiting_for_a_token_blocks_no_event_loop(loopback: Loopback, backend: str) -> None:
    simulator = loopback.simulator
    simulator.script("m2m.token", {"hold": "first"}, {"hold": "second"})

    async def main() -> None:
        async with httpx.AsyncClient(auth=loopback.m2m()) as client:
            for hold in ("first", "second"):
                async with anyio.create_task_group() as group:
                    answered = anyio.Event()

                    async def ask(answered: anyio.Event = answered) -> None:
                        (await client.get(loopback.sentinel_hub)).raise_for_status()
                        answered.set()

                    group.start_soon(ask)
                    # If the loop were blocked, nothing would release the response.
                    await anyio.to_thread.run_sync(partial(simulator.wait_held, hold))
                    assert not answered.is_set()
                    simulator.release(hold)
                loopback.revoke()

    anyio.run(main, backend=backend)
    assert loopback.token_requests == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_request_does_not_wait(loopback: Loopback, backend: str) -> None:
    loopback.simulator.script("m2m.token", {"hold": "token"})
    # The thread would wait longer than this test may.
    session = loopback.m2m().with_timeout(600)

    async def main() -> None:
        async with httpx.AsyncClient(auth=session) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, loopback.sentinel_hub)
                await anyio.to_thread.run_sync(loopback.simulator.wait_held, "token")
                group.cancel_scope.cancel()
            loopback.simulator.release("token")
            # The token of that request serves the next one.
            assert credential(await client.get(loopback.sentinel_hub)) == "bearer"

    anyio.run(main, backend=backend)
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (1, 1)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_request_cancelled_in_a_refresh_releases_the_connection(
    loopback: Loopback, backend: str
) -> None:
    session = loopback.m2m()

    async def main() -> None:
        async with httpx.AsyncClient(auth=session, limits=ONE_CONNECTION) as client:
            (await client.get(loopback.sentinel_hub)).raise_for_status()
            loopback.revoke()
            loopback.simulator.script("m2m.token", {"hold": "token"})
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, loopback.sentinel_hub)
                await anyio.to_thread.run_sync(loopback.simulator.wait_held, "token")
                group.cancel_scope.cancel()
            loopback.simulator.release("token")
            assert credential(await client.get(loopback.sentinel_hub)) == "bearer"

    anyio.run(main, backend=backend)
    assert loopback.token_requests == 2

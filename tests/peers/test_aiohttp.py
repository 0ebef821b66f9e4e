"""The middleware for `aiohttp`."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import aiohttp
import planetkey
import pytest
from planetkey.aiohttp import Middleware

from loopback import CHALLENGE, NO_TOKEN, Loopback

BODY = b"x" * 5000
Seen = tuple[int, str | None]


def asked(
    loopback: Loopback,
    session: planetkey.Session,
    ask: Callable[[aiohttp.ClientSession], Awaitable[Any]],
    *,
    connections: int = 100,
    inner: tuple[aiohttp.ClientMiddlewareType, ...] = (),
) -> Any:
    """Runs it with a client that has the middleware, and uses the environment otherwise."""

    async def main() -> Any:
        connector = aiohttp.TCPConnector(ssl=loopback.tls(), limit=connections)
        middlewares: tuple[aiohttp.ClientMiddlewareType, ...] = (Middleware(session), *inner)
        async with aiohttp.ClientSession(
            connector=connector, middlewares=middlewares, trust_env=True
        ) as client:
            return await ask(client)

    return asyncio.run(main())


async def get(client: aiohttp.ClientSession, url: str, **options: Any) -> Seen:
    """The status, and how the API says that the request was authenticated."""
    async with client.get(url, **options) as response:
        return response.status, (await response.json()).get("credential")


def got(loopback: Loopback, session: planetkey.Session, url: str, **options: Any) -> Seen:
    answer: Seen = asked(loopback, session, lambda client: get(client, url, **options))
    return answer


def test_each_host_gets_its_credential(loopback: Loopback) -> None:
    async def ask(client: aiohttp.ClientSession) -> None:
        assert await get(client, loopback.planet) == (200, "api_key_basic")
        assert await get(client, loopback.sentinel_hub) == (200, "bearer")
        async with client.post(loopback.sentinel_hub, json={"a": 1}) as response:
            assert response.status == 200

    asked(loopback, loopback.both(), ask)
    assert loopback.token_requests == 1


@pytest.mark.parametrize("transport", ["basic", "header", "query"])
def test_an_api_key_goes_where_it_may(
    loopback: Loopback, transport: Literal["basic", "header", "query"]
) -> None:
    session = loopback.key(transport)
    # Another credential in a header would be a second one.
    headers = {"Authorization": "Bearer other"}
    assert got(loopback, session, loopback.planet, headers=headers) == (200, f"api_key_{transport}")
    # Requests to other hosts are not touched.
    assert got(loopback, session, loopback.sentinel_hub)[0] == 401
    got(loopback, session, loopback.foreign, headers=headers)
    assert loopback.authorizations("sentinel_hub_api") == [None]
    assert loopback.authorizations("as.other") == ["Bearer other"]


def test_an_invalid_url_is_an_error_as_in_every_adapter(loopback: Loopback) -> None:
    async def ask(client: aiohttp.ClientSession) -> None:
        with pytest.raises(planetkey.InvalidArgumentError):
            await client.get(loopback.planet.replace("http://", "ws://"))

    asked(loopback, loopback.both(), ask)
    assert loopback.requests("planet_api") == 0


def test_a096_a_revoked_token_is_refreshed_and_the_request_repeated(loopback: Loopback) -> None:
    async def ask(client: aiohttp.ClientSession) -> None:
        for _ in range(2):
            assert await get(client, loopback.sentinel_hub) == (200, "bearer")
            loopback.revoke()

    asked(loopback, loopback.m2m(), ask)
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 3)


def test_it_is_repeated_once(loopback: Loopback) -> None:
    loopback.simulator.script("sentinel_hub_api", CHALLENGE, repeat=True)

    async def ask(client: aiohttp.ClientSession) -> int:
        async with client.get(loopback.sentinel_hub) as response:
            return response.status

    assert asked(loopback, loopback.m2m(), ask) == 401
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (2, 2)


@pytest.mark.parametrize("transport", ["basic", "query"])
def test_a_key_that_was_refused_is_not_sent_again(
    loopback: Loopback, transport: Literal["basic", "query"]
) -> None:
    loopback.simulator.settings(api_keys=["another"])
    assert got(loopback, loopback.key(transport), loopback.planet)[0] == 401
    assert loopback.requests("planet_api") == 1


# Otherwise the last request would wait for minutes.
@pytest.mark.timeout(30)
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["failed", "cancelled"])
def test_a_refresh_that_fails_or_is_cancelled_releases_the_connection(
    loopback: Loopback, *, is_cancelled: bool
) -> None:
    simulator = loopback.simulator
    # Otherwise the end of the response would release it at some point.
    kept: list[aiohttp.ClientResponse] = []

    async def keep(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        kept.append(await handler(request))
        return kept[-1]

    async def ask(client: aiohttp.ClientSession) -> None:
        assert await get(client, loopback.sentinel_hub) == (200, "bearer")
        # A complete one has released its connection already.
        simulator.script("sentinel_hub_api", {**CHALLENGE, "json": {}, "fault": "stall_in_body"})
        simulator.script("m2m.token", {"hold": "token", **({} if is_cancelled else NO_TOKEN)})
        task = asyncio.create_task(get(client, loopback.sentinel_hub))
        await asyncio.to_thread(simulator.wait_held, "token")
        if is_cancelled:
            task.cancel()
        else:
            simulator.release("token")
        with pytest.raises(asyncio.CancelledError if is_cancelled else planetkey.ProtocolError):
            await task
        simulator.release("token")
        assert await get(client, loopback.sentinel_hub, middlewares=()) == (401, None)

    asked(loopback, loopback.m2m(), ask, connections=1, inner=(keep,))
    assert [(response.status, response.closed) for response in kept] == [(200, True), (401, True)]
    assert loopback.requests("sentinel_hub_api") == 3


def test_many_tasks_share_one_refresh(loopback: Loopback) -> None:
    async def ask(client: aiohttp.ClientSession) -> None:
        for _ in range(2):
            answers = await asyncio.gather(*(get(client, loopback.sentinel_hub) for _ in range(8)))
            assert answers == [(200, "bearer")] * 8
            loopback.revoke()

    asked(loopback, loopback.m2m(), ask)
    assert loopback.token_requests == 2


async def parts() -> AsyncIterator[bytes]:
    yield BODY


@pytest.mark.parametrize("kind", ["bytes", "form", "file", "parts"])
def test_a_body_is_sent_again_if_it_is_in_memory(
    loopback: Loopback, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    is_in_memory = kind in ("bytes", "form")

    async def ask(client: aiohttp.ClientSession) -> int:
        await get(client, loopback.sentinel_hub)
        loopback.revoke()
        with file.open("rb") as opened:
            data = {"bytes": BODY, "form": {"a": "b"}, "file": opened, "parts": parts()}[kind]
            async with client.post(loopback.sentinel_hub, data=data) as response:
                status = response.status
        # In any case the next request has another token.
        assert await get(client, loopback.sentinel_hub) == (200, "bearer")
        return status

    assert asked(loopback, loopback.m2m(), ask) == (200 if is_in_memory else 401)
    assert (loopback.token_requests, loopback.requests("sentinel_hub_api")) == (
        2,
        4 if is_in_memory else 3,
    )


def test_a095_a_redirect_to_a_foreign_host_carries_nothing(loopback: Loopback) -> None:
    # The foreign host would like to have it.
    challenge = {**CHALLENGE, "json": {}}
    loopback.simulator.script("as.other", challenge, repeat=True)
    for start in (loopback.planet, loopback.sentinel_hub):
        assert got(loopback, loopback.both(), loopback.redirect(start, loopback.foreign)) == (
            401,
            None,
        )
    assert loopback.authorizations("as.other") == [None, None]
    assert loopback.token_requests == 1


def test_a_key_in_the_url_is_not_lost_by_a_redirect(loopback: Loopback) -> None:
    session = loopback.key("query")
    url = loopback.redirect(loopback.planet, loopback.planet)
    assert got(loopback, session, url) == (200, "api_key_query")
    # Not where the other server would like to have it, either.
    loopback.simulator.script("as.other", {**CHALLENGE, "json": {}}, repeat=True)
    assert got(loopback, session, loopback.redirect(loopback.planet, loopback.foreign)) == (
        401,
        None,
    )
    assert loopback.queries("as.other") == [None]


def test_the_header_of_a_foreign_request_stays(loopback: Loopback) -> None:
    """Their entry in `.netrc`, after a redirect: what is of ours would not be."""
    (loopback.home / ".netrc").write_text("machine as.example login another password else\n")
    got(loopback, loopback.both(), loopback.redirect(loopback.planet, loopback.foreign))
    assert loopback.authorizations("as.other") == [aiohttp.encode_basic_auth("another", "else")]


def test_a_redirect_to_the_other_domain_gets_what_may_go_there(loopback: Loopback) -> None:
    url = loopback.redirect(loopback.planet, loopback.sentinel_hub)
    assert got(loopback, loopback.both(), url) == (200, "bearer")
    assert got(loopback, loopback.key(), url)[0] == 401
    bearer, alone = loopback.authorizations("sentinel_hub_api")
    assert (bearer or "").startswith("Bearer ")
    assert alone is None


def test_netrc_does_not_replace_the_credential(loopback: Loopback) -> None:
    loopback.write_netrc()
    session = loopback.both()
    assert got(loopback, session, loopback.planet) == (200, "api_key_basic")
    assert got(
        loopback, session, loopback.redirect(loopback.sentinel_hub, loopback.sentinel_hub)
    ) == (200, "bearer")
    assert loopback.requests("sentinel_hub_api") == 2


def test_f109_waiting_for_a_token_blocks_no_event_loop(loopback: Loopback) -> None:
    simulator = loopback.simulator
    simulator.script("m2m.token", {"hold": "first"}, {"hold": "second"})

    async def ask(client: aiohttp.ClientSession) -> None:
        for hold in ("first", "second"):
            task = asyncio.create_task(get(client, loopback.sentinel_hub))
            # If the loop were blocked, nothing would release the response.
            await asyncio.to_thread(simulator.wait_held, hold)
            assert not task.done()
            simulator.release(hold)
            assert await task == (200, "bearer")
            loopback.revoke()

    asked(loopback, loopback.m2m(), ask)
    assert loopback.token_requests == 2


def test_it_can_be_pickled_if_its_session_can(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = pickle.loads(pickle.dumps(Middleware(loopback.both())))  # noqa: S301
    assert got(loopback, again.session, loopback.planet) == (200, "api_key_basic")
    with pytest.raises(planetkey.NotPicklableError):
        pickle.dumps(Middleware(loopback.key()))

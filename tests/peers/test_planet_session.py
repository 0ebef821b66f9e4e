"""A session instead of the one that Planet's SDK finds by itself.

The SDK knows the real names of the hosts only, which lead to the simulator here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import planet
import planetkey
import planetkey.planet
import pytest

from both import PLANET_API, USER, check_lives, seed_user
from loopback import CHALLENGE, authorizations
from simulator import Simulator

REDIRECT = "https://api.planet.com/redirect?to=https%3A%2F%2Fas.example%2Felsewhere"


def plain(auth: Any) -> planet.Session:
    """The SDK's own session, whose annotation asks for an `auth` of its own too."""
    return planet.Session(auth)


def asked(sdk: planet.Session, ask: Callable[[planet.Session], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with sdk:
            return await ask(sdk)

    return asyncio.run(main())


async def credential(sdk: planet.Session) -> str:
    """How the API says that it was authenticated to."""
    seen = (await sdk.request("GET", PLANET_API)).json()["credential"]
    assert isinstance(seen, str)
    return seen


@pytest.mark.parametrize("make", [planetkey.planet.Session, plain])
def test_the_sdk_accepts_the_session(
    simulator: Simulator, home: Path, make: Callable[..., planet.Session]
) -> None:
    seed_user(simulator, home)
    key = planetkey.Session.from_api_key(simulator.api_key)
    assert asked(make(key), credential) == "api_key_basic"
    assert asked(make(planetkey.Session.from_profile(USER)), credential) == "bearer"


def test_clients_of_the_sdk(simulator: Simulator, home: Path) -> None:
    seed_user(simulator, home)
    session = planetkey.planet.Session(planetkey.Session.from_profile(USER))
    answer = planet.Planet(session).data.get_search("an-id")
    assert answer["credential"] == "bearer"

    async def ask(sdk: planet.Session) -> Any:
        return await planet.DataClient(sdk).get_search("an-id")

    assert (
        asked(planetkey.planet.Session(planetkey.Session.from_profile(USER)), ask)["credential"]
        == "bearer"
    )


def test_a096_a_revoked_token_is_refreshed_and_the_request_repeated(
    simulator: Simulator, home: Path
) -> None:
    tokens = seed_user(simulator, home)

    async def ask(sdk: planet.Session) -> None:
        assert await credential(sdk) == "bearer"
        simulator.revoke(access_token=tokens["access_token"])
        assert await asyncio.gather(*(credential(sdk) for _ in range(4))) == ["bearer"] * 4

    asked(planetkey.planet.Session(planetkey.Session.from_profile(USER)), ask)
    check_lives(simulator, tokens, refreshes=1)


def test_a_stream_is_repeated_too(simulator: Simulator, home: Path) -> None:
    tokens = seed_user(simulator, home)
    simulator.revoke(access_token=tokens["access_token"])

    async def ask(sdk: planet.Session) -> bytes:
        async with sdk.stream("GET", PLANET_API) as answer:
            return b"".join([chunk async for chunk in answer.aiter_bytes()])

    body = asked(planetkey.planet.Session(planetkey.Session.from_profile(USER)), ask)
    assert b'"bearer"' in body
    assert simulator.count("planet_api") == 2
    check_lives(simulator, tokens, refreshes=1)


def test_it_is_repeated_once(simulator: Simulator, home: Path) -> None:
    tokens = seed_user(simulator, home)
    simulator.script("planet_api", CHALLENGE, repeat=True)
    with pytest.raises(planet.exceptions.InvalidAPIKey):
        asked(planetkey.planet.Session(planetkey.Session.from_profile(USER)), credential)
    assert simulator.count("planet_api") == 2
    check_lives(simulator, tokens, refreshes=1)


def test_a_response_that_a_new_token_cannot_change_is_final(
    simulator: Simulator, home: Path
) -> None:
    tokens = seed_user(simulator, home)
    simulator.script("planet_api", {"status": 403, "json": {}}, repeat=True)
    with pytest.raises(planet.exceptions.NoPermission):
        asked(planetkey.planet.Session(planetkey.Session.from_profile(USER)), credential)
    simulator.script("planet_api", {"status": 401, "json": {}}, repeat=True)
    with pytest.raises(planet.exceptions.InvalidAPIKey):
        asked(planetkey.planet.Session(planetkey.Session.from_api_key("PLAK0")), credential)
    assert simulator.count("planet_api") == 2
    check_lives(simulator, tokens, refreshes=0)


def test_the_sdks_own_session_makes_an_exception_of_a_401(simulator: Simulator, home: Path) -> None:
    """Before its `auth` can see it: why there is a session of ours."""
    tokens = seed_user(simulator, home)
    simulator.revoke(access_token=tokens["access_token"])
    with pytest.raises(planet.exceptions.InvalidAPIKey):
        asked(plain(planetkey.Session.from_profile(USER)), credential)
    assert simulator.count("planet_api") == 1


def test_a095_a_redirect_to_a_foreign_host_carries_nothing(
    simulator: Simulator, home: Path
) -> None:
    seed_user(simulator, home)
    session = planetkey.planet.Session(planetkey.Session.from_profile(USER))
    with pytest.raises(planet.exceptions.MissingResource):
        asked(session, lambda sdk: sdk.request("GET", REDIRECT))
    (bearer,) = authorizations(simulator, "planet_api")
    assert (bearer or "").startswith("Bearer ")
    assert authorizations(simulator, "as.other") == [None]


def test_an_api_key_goes_where_it_may(simulator: Simulator, home: Path) -> None:
    session = planetkey.planet.Session(planetkey.Session.from_api_key(simulator.api_key))
    with pytest.raises(planetkey.HostRefusedError):
        asked(
            session,
            lambda sdk: sdk.request("GET", "https://services.sentinel-hub.com/api/v1/catalog"),
        )
    assert simulator.count("sentinel_hub_api") == 0


def test_netrc_never_replaces_the_credential(simulator: Simulator, home: Path) -> None:
    (home / ".netrc").write_text("machine api.planet.com login another password else\n")
    session = planetkey.planet.Session(planetkey.Session.from_api_key(simulator.api_key))
    assert asked(session, credential) == "api_key_basic"

"""One session that Planet's SDK or planetkey refreshes, whichever needs it first."""

from collections.abc import Callable
from pathlib import Path

import planet
import planetkey
import pytest

from both import (
    HOUR,
    PLANET_API,
    USER,
    check_lives,
    kept,
    planet_command,
    planetkey_asking,
    planetkey_command,
    save_by_the_sdk,
    sdk_header,
    seed_user,
    token_file,
    well,
)
from simulator import Simulator


def header(session: planetkey.Session) -> str:
    return session.headers(PLANET_API)["Authorization"]


def sdk_session() -> planet.Auth:
    return planet.Auth.from_user_default_session()


def test_f095_planetkey_adopts_a_refresh_by_the_sdk(simulator: Simulator, home: Path) -> None:
    tokens = seed_user(simulator, home, age=2 * HOUR)
    ours = planetkey.Session.from_profile(USER)
    # The old token is in memory by now.
    assert ours.is_initialized()
    refreshed = sdk_header(sdk_session())
    assert header(ours) == refreshed
    assert header(planetkey.Session.from_defaults()) == refreshed
    assert well(planetkey_command("print-access-token")) == refreshed.removeprefix("Bearer ")
    check_lives(simulator, tokens, refreshes=1)


def test_f095_a_running_session_notices_that_the_sdk_refreshed(
    simulator: Simulator, home: Path
) -> None:
    """The token is still valid, so there is no request: planetkey sees the new file."""
    tokens = seed_user(simulator, home)
    ours = planetkey.Session.from_profile(USER)
    before = header(ours)
    well(planet_command("auth", "refresh"))
    while (now := header(ours)) == before:
        pass
    assert now == "Bearer " + kept(token_file(home))["access_token"]
    check_lives(simulator, tokens, refreshes=1)


def test_the_sdk_adopts_a_refresh_by_planetkey(simulator: Simulator, home: Path) -> None:
    tokens = seed_user(simulator, home, age=2 * HOUR)
    refreshed = header(planetkey.Session.from_profile(USER))
    assert sdk_header(sdk_session()) == refreshed
    assert well(planet_command("auth", "print-access-token")) == refreshed.removeprefix("Bearer ")
    check_lives(simulator, tokens, refreshes=1)


def test_an_sdk_session_adopts_the_token_that_planetkey_refreshed(
    simulator: Simulator, home: Path
) -> None:
    """The token is valid but due, and the SDK cannot refresh it. It uses the old one."""
    tokens = seed_user(simulator, home, age=HOUR - 300)
    sdk = sdk_session()
    simulator.script("user.token", {"status": 500})
    assert sdk_header(sdk) == "Bearer " + tokens["access_token"]
    ours = planetkey.Session.from_profile(USER)
    ours.refresh()
    assert sdk_header(sdk) == header(ours) != "Bearer " + tokens["access_token"]
    check_lives(simulator, tokens, refreshes=1)


def test_both_refresh_in_turn(simulator: Simulator, home: Path) -> None:
    tokens = seed_user(simulator, home)
    turns = 4
    for _ in range(turns):
        well(planet_command("auth", "refresh"))
        well(planetkey_command("refresh"))
        assert sdk_header(sdk_session()) == header(planetkey.Session.from_profile(USER))
    check_lives(simulator, tokens, refreshes=2 * turns)


def test_f095_the_token_that_the_sdk_writes_beside_a_refusal_is_adopted(
    simulator: Simulator, home: Path
) -> None:
    """The SDK rotates the token that planetkey just sent. The session survives that."""
    tokens = seed_user(simulator, home, age=2 * HOUR)
    simulator.script(
        "user.token", {"hold": "ours", "status": 400, "json": {"error": "invalid_grant"}}
    )
    with planetkey_asking() as ours:
        simulator.wait_held("ours")
        refreshed = sdk_header(sdk_session())
        simulator.release("ours")
        assert ours() == refreshed.removeprefix("Bearer ")
    check_lives(simulator, tokens, refreshes=1)


def test_f095_both_refresh_at_once_if_the_server_allows_an_overlap(
    simulator: Simulator, home: Path
) -> None:
    simulator.settings(overlap_ms=60_000)
    tokens = seed_user(simulator, home, age=2 * HOUR)
    simulator.script("user.token", {"hold": "ours"})
    with planetkey_asking() as ours:
        simulator.wait_held("ours")
        by_the_sdk = sdk_header(sdk_session())
        simulator.release("ours")
        by_ours = "Bearer " + ours()
    session = simulator.session_of(tokens["refresh_token"])
    assert (session["active"], session["reuse"], session["repeats"]) == (True, 0, 1)
    assert kept(token_file(home))["refresh_token"] == session["refresh_token"]
    assert by_ours in (by_the_sdk, "Bearer " + kept(token_file(home))["access_token"])
    # And from then on they are one again.
    planetkey.Session.from_profile(USER).refresh()
    assert sdk_header(sdk_session()) == header(planetkey.Session.from_profile(USER))
    assert simulator.session_of(tokens["refresh_token"])["active"]


def test_a_revoked_session_is_revoked_for_both_without_a_loop(
    simulator: Simulator, home: Path
) -> None:
    tokens = seed_user(simulator, home, age=2 * HOUR)
    simulator.revoke(refresh_token=tokens["refresh_token"])
    ours = planetkey.Session.from_profile(USER)
    for session in (ours, ours, planetkey.Session.from_profile(USER)):
        with pytest.raises(planetkey.LoginRequiredError) as refusal:
            header(session)
        assert refusal.value.reason == "revoked"
    assert simulator.count("user.token") == 1
    # What lies there is left for the SDK to judge.
    assert kept(token_file(home))["refresh_token"] == tokens["refresh_token"]


def test_a_login_by_the_sdk_replaces_a_revoked_session(simulator: Simulator, home: Path) -> None:
    tokens = seed_user(simulator, home, age=2 * HOUR)
    simulator.revoke(refresh_token=tokens["refresh_token"])
    ours = planetkey.Session.from_profile(USER)
    with pytest.raises(planetkey.LoginRequiredError):
        header(ours)
    fresh = simulator.seed(issuer="https://login.planet.com/")
    save_by_the_sdk(token_file(home), fresh)
    while True:
        try:
            assert header(ours) == "Bearer " + fresh["access_token"]
            break
        except planetkey.LoginRequiredError:
            continue


def sdk_client(simulator: Simulator) -> planet.Auth:
    return planet.Auth.from_oauth_m2m(simulator.client_id, simulator.client_secret)


def sdk_default(_: Simulator) -> planet.Auth:
    return sdk_session()


def our_client(simulator: Simulator) -> planetkey.Session:
    return planetkey.Session.from_m2m(simulator.client_id, simulator.client_secret)


def our_client_where_the_sdk_keeps_its(simulator: Simulator) -> planetkey.Session:
    return planetkey.Session.from_m2m(
        simulator.client_id, simulator.client_secret, profile=simulator.client_id
    )


def our_default(_: Simulator) -> planetkey.Session:
    return planetkey.Session.from_defaults()


# The SDK saves tokens of a client in code under its id, and those of a client in the environment
# where planetkey saves both.
@pytest.mark.parametrize(
    ("sdk", "ours"),
    [
        (sdk_default, our_default),
        (sdk_default, our_client),
        (sdk_client, our_client_where_the_sdk_keeps_its),
    ],
)
@pytest.mark.parametrize("is_first_ours", [True, False])
def test_an_m2m_token_is_shared(
    simulator: Simulator,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    sdk: Callable[[Simulator], planet.Auth],
    ours: Callable[[Simulator], planetkey.Session],
    is_first_ours: bool,
) -> None:
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    users = [lambda: sdk_header(sdk(simulator)), lambda: header(ours(simulator))]
    first, second = reversed(users) if is_first_ours else users
    assert first() == second()
    assert simulator.count("m2m.token") == 1


def test_an_m2m_token_is_shared_by_the_commands(
    simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    # `planet auth print-access-token` prints what is there and asks for nothing.
    ours = well(planetkey_command("print-access-token"))
    assert well(planet_command("auth", "print-access-token")) == ours
    assert simulator.count("m2m.token") == 1


def test_an_expired_m2m_token_of_the_sdk_is_replaced_for_both(
    simulator: Simulator, home: Path
) -> None:
    """The profile is the SDK's own. A refresh by one of them serves both."""
    sdk = sdk_client(simulator)
    save_by_the_sdk(
        token_file(home, simulator.client_id),
        {
            "access_token": "old",
            "token_type": "Bearer",
            "expires_in": HOUR,
            "_iat": 1,
            "_exp": 1 + HOUR,
        },
    )
    refreshed = header(planetkey.Session.from_profile(simulator.client_id))
    assert sdk_header(sdk) == refreshed
    assert simulator.count("m2m.token") == 1

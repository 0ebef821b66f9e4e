"""The commands of both, on each other's sessions and profiles."""

import json
from pathlib import Path

import planet
import planetkey
import pytest

from both import (
    HOUR,
    PLANET_API,
    USER,
    check_lives,
    config_file,
    kept,
    planet_command,
    planet_program,
    planetkey_command,
    put,
    sdk_header,
    seed_user,
    token_file,
    tree,
    well,
)
from simulator import Simulator

SENTINEL_HUB_API = "https://services.sentinel-hub.com/api/v1/catalog/1.0.0/"
NEVER_LOGGED_IN = 3


def planet_profiles() -> set[str]:
    """What `planet auth profile list` lists beside the built-in profiles."""
    _, listed = well(planet_command("auth", "profile", "list")).split("Locally defined profiles:")
    return set(json.loads(listed))


def planetkey_profiles() -> set[str]:
    listed = json.loads(well(planetkey_command("profile", "list", "--json")))
    return {profile["name"] for profile in listed if not profile["built_in"]}


def login_with_key(who: str, key: str) -> None:
    if who == "sdk":
        well(planet_program("auth", "login", "--auth-api-key", key))
    else:
        well(planetkey_command("login", "--auth-api-key-file", "-", stdin=key))


def login_as_machine(who: str, simulator: Simulator) -> None:
    client = ("--auth-client-id", simulator.client_id)
    if who == "sdk":
        well(
            planet_program(
                "auth", "login", *client, "--auth-client-secret", simulator.client_secret
            )
        )
    else:
        well(
            planetkey_command(
                "login", *client, "--auth-client-secret-file", "-", stdin=simulator.client_secret
            )
        )


@pytest.mark.parametrize("who", ["sdk", "ours"])
def test_a_login_with_an_api_key_is_one_for_both(
    simulator: Simulator, home: Path, who: str
) -> None:
    login_with_key(who, simulator.api_key)
    assert planet_profiles() == {"_pl_api_key"}
    assert planetkey_profiles() == {"_pl_api_key"}
    assert well(planetkey_command("print-api-key")) == simulator.api_key
    assert simulator.api_key not in well(planetkey_command("status"))
    assert (
        well(planetkey_command("header", PLANET_API))
        == f"Authorization: api-key {simulator.api_key}"
    )
    assert sdk_header(planet.Auth.from_user_default_session()) == f"api-key {simulator.api_key}"
    assert "Current: _pl_api_key" in well(planet_command("auth", "profile", "show"))


@pytest.mark.parametrize("who", ["sdk", "ours"])
def test_a_login_of_an_m2m_client_is_one_for_both(
    simulator: Simulator, home: Path, who: str
) -> None:
    login_as_machine(who, simulator)
    profile = f"planet-m2m-{simulator.client_id}"
    assert planet_profiles() == planetkey_profiles() == {profile}
    token = kept(token_file(home, profile))["access_token"]
    assert well(planetkey_command("print-access-token")) == token
    assert well(planet_command("auth", "print-access-token")) == token
    assert well(planetkey_command("header", SENTINEL_HUB_API)) == f"Authorization: Bearer {token}"
    assert sdk_header(planet.Auth.from_user_default_session()) == f"Bearer {token}"
    assert planet.Auth.from_user_default_session().is_initialized()
    # The login sent one request, and there was no other.
    assert simulator.count("m2m.token") == 1
    status = json.loads(well(planetkey_command("status", "--json")))
    assert status["sources"][0]["profile"].lower() == profile
    assert simulator.client_secret not in json.dumps(status)


@pytest.mark.parametrize("who", ["sdk", "ours"])
def test_a_user_session_that_either_refreshed_serves_the_other(
    simulator: Simulator, home: Path, who: str
) -> None:
    """The user logs in with the SDK. After that, both refresh the session."""
    tokens = seed_user(simulator, home, age=2 * HOUR)
    refresh = {
        "sdk": lambda: planet_command("auth", "refresh"),
        "ours": lambda: planetkey_command("refresh"),
    }[who]
    well(refresh())
    token = kept(token_file(home))["access_token"]
    assert well(planet_command("auth", "print-access-token")) == token
    assert well(planetkey_command("print-access-token")) == token
    assert well(planetkey_command("--auth-profile", USER, "print-access-token")) == token
    assert sdk_header(planet.Auth.from_user_default_session()) == f"Bearer {token}"
    assert (
        planetkey.Session.from_defaults().headers(PLANET_API)["Authorization"] == f"Bearer {token}"
    )
    check_lives(simulator, tokens, refreshes=1)


def test_a_copied_profile_is_a_session_of_its_own_for_both(
    simulator: Simulator, home: Path
) -> None:
    """The issuer, the client and the token file are the same for both."""
    first = seed_user(simulator, home, age=2 * HOUR)
    well(planetkey_command("profile", "copy", USER, "By-Ours"))
    well(planet_command("auth", "profile", "copy", USER, "By-The-SDK"))
    assert planet_profiles() == planetkey_profiles() == {"by-ours", "by-the-sdk"}
    for profile in ("by-ours", "by-the-sdk"):
        assert planetkey_command("--profile", profile, "print-access-token").code == NEVER_LOGGED_IN
        own = seed_user(simulator, home, age=2 * HOUR, profile=profile)
        ours = well(planetkey_command("--profile", profile, "print-access-token"))
        assert well(planet_command("--auth-profile", profile, "auth", "print-access-token")) == ours
        check_lives(simulator, own, refreshes=1)
    check_lives(simulator, first, refreshes=0)


@pytest.mark.parametrize("who", ["sdk", "ours"])
def test_a_profile_selected_by_either_is_selected_for_both(
    simulator: Simulator, home: Path, who: str
) -> None:
    for name in ("first", "second"):
        put(
            config_file(home, name),
            {"client_type": "static_apikey", "api_key": name, "bearer_token_prefix": "api-key"},
        )
    setting = {
        "sdk": lambda: planet_command("auth", "profile", "set", "Second"),
        "ours": lambda: planetkey_command("profile", "set", "Second"),
    }
    well(setting[who]())
    shown = well(planet_command("auth", "profile", "show")).splitlines()
    assert shown[:2] == ["Current: second", "User Default: second"]
    assert well(planetkey_command("print-api-key")) == "second"
    (selected,) = [
        one["name"]
        for one in json.loads(well(planetkey_command("profile", "list", "--json")))
        if one["selected"]
    ]
    assert selected == "second"


def test_a_profile_that_planetkey_deletes_is_gone_for_the_sdk(
    simulator: Simulator, home: Path
) -> None:
    login_as_machine("sdk", simulator)
    (profile,) = planet_profiles()
    well(planetkey_command("profile", "delete", profile, "--yes"))
    assert planet_profiles() == planetkey_profiles() == set()
    assert "User Default: None" in well(planet_command("auth", "profile", "show"))
    assert not (home / ".planet" / profile).exists()


@pytest.mark.parametrize("who", ["sdk", "ours"])
def test_after_a_reset_by_either_nothing_is_left_for_either(
    simulator: Simulator, home: Path, who: str
) -> None:
    login_as_machine("sdk", simulator)
    tokens = seed_user(simulator, home)
    put(home / ".planet.json", {"PL_AUTH_PROFILE": USER, "key": "old"})
    running = planetkey.Session.from_profile(USER)
    assert running.is_initialized()
    before = len(tree(home))
    resetting = {
        "sdk": lambda: planet_command("auth", "reset"),
        "ours": lambda: planetkey_command("reset", "--yes"),
    }
    well(resetting[who]())
    assert planet_profiles() == planetkey_profiles() == set()
    assert planetkey_command("print-access-token").code == NEVER_LOGGED_IN
    assert not planet.Auth.from_user_default_session().is_initialized()
    assert len(tree(home)) == before, "nothing is deleted"
    # A process that runs notices it, too.
    while running.is_initialized():
        pass
    with pytest.raises(planetkey.LoginRequiredError) as refusal:
        running.headers(PLANET_API)
    assert refusal.value.reason == "logged_out"
    check_lives(simulator, tokens, refreshes=0)


def test_after_a_logout_by_planetkey_the_sdk_has_no_session(
    simulator: Simulator, home: Path
) -> None:
    seed_user(simulator, home)
    assert planet.Auth.from_user_default_session().is_initialized()
    well(planetkey_command("logout"))
    assert not token_file(home).exists()
    assert not planet.Auth.from_user_default_session().is_initialized()
    assert planet_command("auth", "print-access-token").code != 0


def test_the_sdk_lists_profiles_with_planetkeys_files_in_them(
    simulator: Simulator, home: Path
) -> None:
    """The lock, the failure record and a renamed damaged file do not interfere."""
    login_as_machine("ours", simulator)
    (profile,) = planet_profiles()
    put(token_file(home, profile), b"{")
    well(planetkey_command("print-access-token"))
    names = {entry.name for entry in token_file(home, profile).parent.iterdir()}
    assert names >= {"auth_client.json", "token.json", "token.json.lock", "token.planetkey.json"}
    assert any(name.startswith("token.json.corrupt-") for name in names)
    assert planet_profiles() == planetkey_profiles() == {profile}
    assert "client_secret" in well(planet_command("auth", "profile", "list", "--long"))
    assert (
        sdk_header(planet.Auth.from_profile(profile))
        == planetkey.Session.from_profile(profile).headers(PLANET_API)["Authorization"]
    )

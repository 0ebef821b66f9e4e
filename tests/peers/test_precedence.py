"""Which of several credentials planetkey, Planet's SDK and its command use, in every combination.

Planet's documentation says that the environment goes before files. planetkey and the `planet`
command do so, the SDK not always.
"""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import planet
import planetkey
import pytest
from click.testing import CliRunner
from planet.cli.cli import main as planet_main

from both import USER, config_file, planetkey_command, put, well
from simulator import Simulator

# The places, by their names in `status()`, in the order of planetkey.
PLACES = (
    "environment: PL_AUTH_PROFILE",
    "environment: PL_AUTH_CLIENT_ID, PL_AUTH_CLIENT_SECRET",
    "environment: PL_API_KEY",
    ".planet.json: PL_AUTH_PROFILE",
    ".planet.json: PL_AUTH_CLIENT_ID, PL_AUTH_CLIENT_SECRET",
    ".planet.json: PL_API_KEY",
    ".planet.json: key",
    "built-in profile: planet-user",
)
E_PROFILE, E_M2M, E_KEY, F_PROFILE, F_M2M, F_KEY, F_V2_KEY, BUILT_IN = PLACES

OURS = PLACES
COMMAND = PLACES
# In code, a saved profile goes before a key or a client of the environment, and a saved client
# before a key.
SDK = (E_PROFILE, F_PROFILE, E_M2M, F_M2M, E_KEY, F_KEY, F_V2_KEY, BUILT_IN)

ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    E_PROFILE: {"PL_AUTH_PROFILE": "e-profile"},
    E_M2M: {"PL_AUTH_CLIENT_ID": "e-client", "PL_AUTH_CLIENT_SECRET": "secret"},
    E_KEY: {"PL_API_KEY": "e-key"},
}
FILE: Mapping[str, Mapping[str, str]] = {
    F_PROFILE: {"PL_AUTH_PROFILE": "f-profile"},
    F_M2M: {"PL_AUTH_CLIENT_ID": "f-client", "PL_AUTH_CLIENT_SECRET": "secret"},
    F_KEY: {"PL_API_KEY": "f-key"},
    F_V2_KEY: {"key": "f-v2-key"},
}
# How what was found at each place is called by the SDK, and which key it holds there.
SDK_NAMES = {
    ("e-profile", "e-profile-key"): E_PROFILE,
    ("planet-m2m-e-client", None): E_M2M,
    ("_pl_api_key", "e-key"): E_KEY,
    ("f-profile", "f-profile-key"): F_PROFILE,
    ("planet-m2m-f-client", None): F_M2M,
    ("_pl_api_key", "f-key"): F_KEY,
    ("_pl_api_key", "f-v2-key"): F_V2_KEY,
    (USER, None): BUILT_IN,
}


class Situation:
    """Credentials at these places, and at no other."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._home, self._monkeypatch = home, monkeypatch
        for name in ("e-profile", "f-profile"):
            config = {
                "client_type": "static_apikey",
                "api_key": f"{name}-key",
                "bearer_token_prefix": "api-key",
            }
            put(config_file(home, name), config)
        put(
            home / ".planet" / USER / "token.json",
            {"access_token": "opaque", "refresh_token": "unused", "token_type": "Bearer"},
        )

    def put(self, environment: Mapping[str, str], file: Mapping[str, Any]) -> None:
        for members in ENVIRONMENT.values():
            for name in members:
                self._monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        preferences = self._home / ".planet.json"
        if file:
            put(preferences, file)
        else:
            preferences.unlink(missing_ok=True)

    def put_places(self, places: set[str]) -> None:
        def merged(offers: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
            return {
                name: value for place in places for name, value in offers.get(place, {}).items()
            }

        self.put(merged(ENVIRONMENT), merged(FILE))


@pytest.fixture
def situation(home: Path, monkeypatch: pytest.MonkeyPatch) -> Situation:
    return Situation(home, monkeypatch)


def name_of(auth: Any) -> str:
    """The place, according to the SDK's own object."""
    config = auth.auth_client().config()
    key = config.api_key() if hasattr(config, "api_key") else None
    return SDK_NAMES[auth.profile_name().lower(), key]


def by_the_sdk() -> str:
    return name_of(planet.Auth.from_user_default_session()._plauth)


def by_the_command(*options: str) -> str:
    """What `planet` itself would use: the context that its commands get."""
    context: dict[str, Any] = {}
    result = CliRunner().invoke(
        planet_main, [*options, "auth", "profile", "show"], obj=context, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return name_of(context["AUTH"])


def by_ours() -> str:
    return planetkey.Session.from_defaults().status().sources[0].source


def combinations() -> list[set[str]]:
    """Every subset of the places, always with a user session."""
    return [
        {place for place, is_there in zip(PLACES, there, strict=True) if is_there}
        for there in product([False, True], repeat=len(PLACES))
        if there[-1]
    ]


def first(order: tuple[str, ...], places: set[str]) -> str:
    return next(place for place in order if place in places)


def is_different_with_the_sdk(places: set[str]) -> bool:
    """A saved profile goes before the environment, and a saved client before a key of it."""
    if E_PROFILE in places:
        return False
    if F_PROFILE in places:
        return bool({E_M2M, E_KEY} & places)
    return F_M2M in places and E_KEY in places and E_M2M not in places


def test_every_combination_of_places(situation: Situation) -> None:
    for places in combinations():
        situation.put_places(places)
        ours, command, sdk = by_ours(), by_the_command(), by_the_sdk()
        assert (ours, command, sdk) == (
            first(OURS, places),
            first(COMMAND, places),
            first(SDK, places),
        ), places
        assert (ours != sdk) == is_different_with_the_sdk(places), places
        # planetkey uses all of them, for the hosts that do not accept the first.
        found = [source.source for source in planetkey.Session.from_defaults().status().sources]
        assert found == [place for place in OURS if place in places]


Case = tuple[Mapping[str, str], Mapping[str, Any], str, str, str]
ERROR = "error"

# Environment, `.planet.json`, and what the three make of it: ours, the command, the SDK.
CASES: Mapping[str, Case] = {
    "an id here and a secret there are two halves of nothing": (
        {"PL_AUTH_CLIENT_ID": "e-client", "PL_API_KEY": "e-key"},
        {"PL_AUTH_CLIENT_SECRET": "secret"},
        E_KEY,
        E_KEY,
        E_M2M,
    ),
    "even where there is nothing else at that level": (
        {"PL_AUTH_CLIENT_ID": "e-client"},
        {"PL_AUTH_CLIENT_SECRET": "secret", "PL_API_KEY": "f-key"},
        F_KEY,
        E_M2M,
        E_M2M,
    ),
    "a profile of the environment that is not there is an error": (
        {"PL_AUTH_PROFILE": "nowhere"},
        {"PL_API_KEY": "f-key"},
        ERROR,
        ERROR,
        F_KEY,
    ),
    "a saved profile that is not there is ignored": (
        {},
        {"PL_AUTH_PROFILE": "nowhere", "PL_API_KEY": "f-key"},
        F_KEY,
        F_KEY,
        F_KEY,
    ),
    "an empty variable is none": ({"PL_API_KEY": ""}, {"PL_API_KEY": "f-key"}, F_KEY, F_KEY, F_KEY),
    "an empty id is none": (
        {"PL_AUTH_CLIENT_ID": "", "PL_AUTH_CLIENT_SECRET": "secret"},
        {"PL_API_KEY": "f-key"},
        F_KEY,
        F_KEY,
        F_KEY,
    ),
    "names of profiles are read in any case": (
        {"PL_AUTH_PROFILE": "E-Profile"},
        {},
        E_PROFILE,
        E_PROFILE,
        E_PROFILE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_odd_cases(situation: Situation, case: str) -> None:
    environment, file, ours, command, sdk = CASES[case]
    situation.put(environment, file)
    if ours == ERROR:
        with pytest.raises(planetkey.MisconfiguredError, match=environment["PL_AUTH_PROFILE"]):
            by_ours()
    else:
        assert by_ours() == ours
    if command == ERROR:
        with pytest.raises(Exception):  # noqa: B017, PT011
            by_the_command()
    else:
        assert by_the_command() == command
    assert by_the_sdk() == sdk


def test_a_broken_planet_json_is_skipped(situation: Situation, home: Path) -> None:
    situation.put({"PL_API_KEY": "e-key"}, {})
    put(home / ".planet.json", "{")
    assert by_ours() == by_the_command() == by_the_sdk() == E_KEY
    assert ".planet.json" in planetkey.Session.from_defaults().status().notes[0]


def test_a_saved_profile_without_a_login_does_not_matter(situation: Situation, home: Path) -> None:
    """With the SDK it is: requests then go out without any credential."""
    situation.put({}, {"PL_AUTH_PROFILE": USER, "PL_API_KEY": "f-key"})
    (home / ".planet" / USER / "token.json").unlink()
    assert by_ours() == F_KEY
    assert by_the_sdk() == by_the_command() == BUILT_IN
    assert not planet.Auth.from_user_default_session().is_initialized()


def test_variables_that_the_sdk_does_not_read(
    situation: Situation, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    situation.put({}, {})
    others = {
        "environment: PLANET_API_KEY": {"PLANET_API_KEY": "e-key"},
        "environment: SH_CLIENT_ID, SH_CLIENT_SECRET": {
            "SH_CLIENT_ID": "e-client",
            "SH_CLIENT_SECRET": "secret",
        },
    }
    for place, variables in others.items():
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert by_ours() == place
        assert by_the_sdk() == by_the_command() == BUILT_IN
        for name in variables:
            monkeypatch.delenv(name)
    put(
        home / ".config" / "sentinelhub" / "config.toml",
        '[default-profile]\nsh_client_id = "c"\nsh_client_secret = "s"\n',
    )
    assert by_ours() == "sentinelhub config.toml: default-profile"
    assert by_the_sdk() == by_the_command() == BUILT_IN


OPTIONS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "key": (("--auth-api-key", "f-key"), F_KEY, "argument: api_key"),
    "client": (
        ("--auth-client-id", "f-client", "--auth-client-secret", "secret"),
        F_M2M,
        "argument: client_id, client_secret",
    ),
    "profile": (("--auth-profile", "f-profile"), F_PROFILE, "profile: f-profile"),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("place", ENVIRONMENT)
def test_an_option_of_the_command_takes_precedence_over_the_environment(
    situation: Situation, option: str, place: str
) -> None:
    """A profile goes before a client, and that before a key, as with `planet`."""
    options, sdk_place, source = OPTIONS[option]
    situation.put_places({place})
    ranks = {F_PROFILE: 0, E_PROFILE: 0, F_M2M: 1, E_M2M: 1, F_KEY: 2, E_KEY: 2}
    expected = sdk_place if ranks[sdk_place] <= ranks[place] else place
    assert by_the_command(*options) == expected
    status = json.loads(well(planetkey_command(*options, "status", "--json")))
    assert [found["source"] for found in status["sources"]] == [source]


def test_each_host_gets_a_credential_that_it_accepts(
    simulator: Simulator, situation: Situation
) -> None:
    """The first one that the host accepts. The SDK sends the first one to every host."""
    situation.put_places({E_M2M, E_KEY, BUILT_IN})
    carried = {
        host.host: host.source_index for host in planetkey.Session.from_defaults().status().hosts
    }
    sources = [source.source for source in planetkey.Session.from_defaults().status().sources]
    assert sources[carried["services.sentinel-hub.com"]] == E_M2M
    # Planet lists M2M tokens there as under development: whatever else there is goes first.
    assert sources[carried["api.planet.com"]] == E_KEY

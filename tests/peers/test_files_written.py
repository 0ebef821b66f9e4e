"""Both do the same in two home directories, and leave the same files, bytes and modes."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import planet
import planetkey
import pytest

from both import (
    HOUR,
    LOGIN,
    PLANET_API,
    USER,
    as_the_sdk_writes,
    config_file,
    kept,
    planet_command,
    planetkey_command,
    put,
    token_file,
    tree,
    well,
)
from simulator import Simulator

# Members of a preferences file that must be preserved.
PREFERENCES = (
    r'{"key": "old", "zzz": [1.50, null, {"b": null, "a": "ü", "A": "\b\f\u007f/\\😀"}], '
    r'"é": 1, "__x": 1, "n": null}'
)
KEY = "PLAK0123456789abcdef"
Preparation = Callable[[Path], object]


def nothing(home: Path) -> None:
    """A home directory without any use of Planet."""


def preferences(home: Path) -> None:
    put(home / ".planet.json", PREFERENCES)


def another_profile(home: Path) -> None:
    preferences(home)
    put(config_file(home, "mine"), '{"client_type": "static_apikey", "api_key": "x"}')


class Homes:
    """A home directory for each of the two."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.sdk, self.ours = directory / "sdk", directory / "ours"

    def prepare(self, preparation: Preparation) -> None:
        for home in (self.sdk, self.ours):
            home.mkdir(mode=0o700)
            preparation(home)

    def do(self, by_the_sdk: Callable[[], object], by_ours: Callable[[], object]) -> None:
        """Has it done by each of them at home."""
        for home, act in ((self.sdk, by_the_sdk), (self.ours, by_ours)):
            self._monkeypatch.setenv("HOME", str(home))
            act()

    def command(self, sdk: Sequence[str], ours: Sequence[str], stdin: str | None) -> None:
        self.do(
            lambda: well(planet_command(*sdk)), lambda: well(planetkey_command(*ours, stdin=stdin))
        )


@pytest.fixture
def homes(home: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    return Homes(home, monkeypatch)


def jwt(claims: Mapping[str, Any]) -> str:
    """A token that says when it was issued. Its signature is not checked."""
    parts = ({"alg": "none"}, claims)
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        + ".c2ln"
    )


def answer(**members: Any) -> dict[str, Any]:
    """A token response without times, so that both get the same one."""
    now = int(time.time()) // HOUR * HOUR
    claims = {"iat": now, "exp": now + 10 * HOUR, "sub": "someone"}
    return {
        "access_token": jwt(claims),
        "token_type": "Bearer",
        "expires_in": 10 * HOUR,
        "scope": "planet",
    } | members


ODD_MEMBERS = {
    "not-before-policy": 0,
    "null": None,
    "nested": {
        "null": None,
        "b": [1, 2.50, 1e16, 1e22, 1.5e-7, -0.0, 123456789012345678901234567890],
        "a": {},
        "A": [],
    },
    "__x": "left out",
    "unicode": 'é\u2028😀\u007f\b\f\n/\\"',
    "true": True,
}

M2M_LOGIN = (
    ["auth", "login", "--auth-client-id", "Mixed-Case", "--auth-client-secret", "secret"],
    ["login", "--auth-client-id", "Mixed-Case", "--auth-client-secret-file", "-"],
)


@pytest.mark.parametrize("prepare", [nothing, preferences])
def test_w1_and_w7_a_login_with_an_api_key(homes: Homes, prepare: Preparation) -> None:
    homes.prepare(prepare)
    homes.command(
        ["auth", "login", "--auth-api-key", KEY], ["login", "--auth-api-key-file", "-"], KEY
    )
    assert tree(homes.ours) == tree(homes.sdk)
    assert {mode for mode, _ in tree(homes.ours).values()} == {0o600}


@pytest.mark.parametrize("choice", ["--yes", "--no"])
def test_w1_a_second_login_with_an_api_key(homes: Homes, choice: str) -> None:
    def prepare(home: Path) -> None:
        put(home / ".planet.json", {"PL_AUTH_PROFILE": "mine"})

    homes.prepare(prepare)
    homes.command(
        ["auth", "login", "--auth-api-key", KEY, choice],
        ["login", "--auth-api-key-file", "-", choice],
        KEY,
    )
    assert tree(homes.ours) == tree(homes.sdk)
    chosen = kept(homes.ours / ".planet.json")["PL_AUTH_PROFILE"]
    assert chosen == ("_PL_API_KEY" if choice == "--yes" else "mine")


@pytest.mark.parametrize(
    "members", [{}, ODD_MEMBERS, {"id_token": jwt({"sub": "someone"}), "refresh_token": "r"}]
)
def test_w2_and_w5_a_login_of_an_m2m_client(
    simulator: Simulator, homes: Homes, members: Mapping[str, Any]
) -> None:
    homes.prepare(nothing)
    simulator.script("m2m.token", {"json": answer(**members)}, repeat=True)
    homes.command(*M2M_LOGIN, "secret")
    ours, sdk = tree(homes.ours), tree(homes.sdk)
    assert set(ours) == {
        ".planet.json",
        ".planet/planet-m2m-mixed-case/auth_client.json",
        ".planet/planet-m2m-mixed-case/token.json",
    }
    if "refresh_token" in members:
        # An M2M client gets new tokens with its secret, so a refresh token is not saved.
        sdk_token = kept(token_file(homes.sdk, "planet-m2m-mixed-case"))
        del sdk_token["refresh_token"]
        sdk[".planet/planet-m2m-mixed-case/token.json"] = (0o600, as_the_sdk_writes(sdk_token))
    assert ours == sdk


def test_w2_the_default_session_of_an_m2m_client(
    simulator: Simulator, homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the token is saved, in the same place. The secret stays where it is."""
    homes.prepare(nothing)
    simulator.script("m2m.token", {"json": answer()}, repeat=True)
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", "Mixed-Case")
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", "secret")

    def by_the_sdk() -> None:
        auth = planet.Auth.from_user_default_session()
        auth.ensure_initialized()
        auth._plauth.request_authenticator().pre_request_hook()

    homes.do(by_the_sdk, lambda: planetkey.Session.from_defaults().headers(PLANET_API))
    assert set(tree(homes.ours)) == {".planet/planet-m2m-mixed-case/token.json"}
    assert tree(homes.ours) == tree(homes.sdk)


def test_w6_an_id_that_is_not_ascii(homes: Homes, simulator: Simulator) -> None:
    homes.prepare(nothing)
    simulator.script("m2m.token", {"json": answer()}, repeat=True)
    sdk, ours = ([part.replace("Mixed-Case", "clïent-Ü😀") for part in line] for line in M2M_LOGIN)
    homes.command(sdk, ours, "secret")
    assert tree(homes.ours) == tree(homes.sdk)
    assert (
        rb'"cl\u00efent-\u00dc\ud83d\ude00"'
        in config_file(homes.ours, "planet-m2m-clïent-ü😀").read_bytes()
    )


@pytest.mark.parametrize(
    "members",
    [
        {"refresh_token": "next"},
        {
            "refresh_token": "next",
            "id_token": jwt({"sub": "someone"}),
            "scope": "openid planet offline_access",
        },
        {"refresh_token": "next"} | ODD_MEMBERS,
    ],
)
def test_w5_a_refresh(simulator: Simulator, homes: Homes, members: Mapping[str, Any]) -> None:
    """The saved file has a member of its login only. The new response replaces the whole file."""
    old = simulator.seed(issuer=LOGIN, lifetime=HOUR, age=2 * HOUR)
    homes.prepare(lambda home: put(token_file(home), old))
    simulator.script("user.token", {"json": answer(**members)}, repeat=True)
    homes.do(
        lambda: planet.Auth.from_profile(USER)._plauth.request_authenticator().pre_request_hook(),
        lambda: planetkey.Session.from_profile(USER).headers(PLANET_API),
    )
    assert tree(homes.ours) == tree(homes.sdk)


def test_w5_an_opaque_token_gets_its_times_from_the_clock(
    simulator: Simulator, homes: Homes
) -> None:
    old = simulator.seed(issuer=LOGIN, lifetime=HOUR, age=2 * HOUR)
    homes.prepare(lambda home: put(token_file(home), old))
    opaque = answer(access_token="opaque", refresh_token="next", expires_in=HOUR)
    simulator.script("user.token", {"json": opaque}, repeat=True)
    before = int(time.time())
    homes.do(
        lambda: planet.Auth.from_profile(USER)._plauth.request_authenticator().pre_request_hook(),
        lambda: planetkey.Session.from_profile(USER).headers(PLANET_API),
    )
    ours, sdk = kept(token_file(homes.ours)), kept(token_file(homes.sdk))
    for tokens in (ours, sdk):
        issued = tokens.pop("_iat")
        assert before <= issued <= time.time()
        assert tokens.pop("_exp") == issued + HOUR
    assert ours == sdk == opaque


def test_planetkey_preserves_what_a_response_omits_and_the_sdk_loses_it(
    simulator: Simulator, homes: Homes
) -> None:
    """The one difference: a server that does not rotate tokens must not end the session."""
    old = simulator.seed(issuer=LOGIN, lifetime=HOUR, age=2 * HOUR)
    homes.prepare(lambda home: put(token_file(home), old))
    simulator.script("user.token", {"json": answer()}, repeat=True)
    homes.do(
        lambda: planet.Auth.from_profile(USER)._plauth.request_authenticator().pre_request_hook(),
        lambda: planetkey.Session.from_profile(USER).headers(PLANET_API),
    )
    ours, sdk = kept(token_file(homes.ours)), kept(token_file(homes.sdk))
    assert ours.pop("refresh_token") == old["refresh_token"]
    assert ours == sdk


@pytest.mark.parametrize("source", ["planet-user", "PLANET-USER", "legacy", "mine", "odd"])
def test_w8_a_copy_of_a_profile(homes: Homes, source: str) -> None:
    def prepare(home: Path) -> None:
        put(
            config_file(home, "mine"),
            {"client_type": "static_apikey", "api_key": KEY, "bearer_token_prefix": "api-key"},
        )
        odd = {
            "client_type": "oidc_device_code",
            "client_id": "é",
            "auth_server": LOGIN,
            "more": {"b": None, "a": 1},
        }
        put(config_file(home, "odd"), odd)

    homes.prepare(prepare)
    homes.command(
        ["auth", "profile", "copy", source, "Second"], ["profile", "copy", source, "Second"], None
    )
    assert tree(homes.ours) == tree(homes.sdk)
    assert ".planet/second/auth_client.json" in tree(homes.ours)


@pytest.mark.parametrize("prepare", [nothing, preferences, another_profile])
@pytest.mark.parametrize("name", ["planet-user", "Planet-User"])
def test_w7_the_choice_of_a_profile(homes: Homes, prepare: Preparation, name: str) -> None:
    homes.prepare(prepare)
    homes.command(["auth", "profile", "set", name], ["profile", "set", name], None)
    assert tree(homes.ours) == tree(homes.sdk)


@pytest.mark.parametrize("prepare", [nothing, preferences, another_profile])
def test_w9_a_reset(homes: Homes, prepare: Preparation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The times in the names are local with the SDK and UTC with planetkey."""
    monkeypatch.setenv("TZ", "UTC")
    homes.prepare(prepare)
    before = tree(homes.sdk)
    homes.command(["auth", "reset"], ["reset", "--yes"], None)

    def without_time(files: Mapping[str, tuple[int, bytes]]) -> dict[str, tuple[int, bytes]]:
        moved = {
            re.sub(r"^(\.planet(\.json)?)-\d{4}-\d\d-\d\d-\d{6}(?=/|$)", r"\1 moved", name): file
            for name, file in files.items()
        }
        assert all(" moved" in name for name in moved), files
        return moved

    assert without_time(tree(homes.ours)) == without_time(tree(homes.sdk))
    assert len(tree(homes.ours)) == len(before)


@pytest.mark.parametrize(
    ("profile", "make"),
    [
        (
            "w3",
            lambda: planet.Auth.from_oauth_user_auth_code(
                "W3-Client", "http://localhost:8080/callback", profile_name="W3"
            ),
        ),
        (
            "w4",
            lambda: planet.Auth.from_oauth_user_device_code(
                "W4-Client", ["planet", "openid"], profile_name="W4"
            ),
        ),
        ("w2", lambda: planet.Auth.from_oauth_m2m("W2-Client", "secret", profile_name="W2")),
    ],
)
def test_w2_to_w4_the_bytes_of_the_sdks_constructors_are_copied(
    home: Path, profile: str, make: Callable[[], planet.Auth]
) -> None:
    make()
    written = config_file(home, profile).read_bytes()
    shown = json.loads(
        well(planetkey_command("profile", "show", profile, "--json", "--reveal-secrets"))
    )
    assert shown["config"] == json.loads(written)
    assert (
        planetkey.Session.from_profile(profile).status().sources[0].client_id
        == f"{profile.upper()}-Client"
    )
    well(planetkey_command("profile", "copy", profile, "copy"))
    assert config_file(home, "copy").read_bytes() == written
    assert sdk_profile_loads("copy")


def sdk_profile_loads(profile: str) -> planet.Auth:
    return planet.Auth.from_profile(profile)

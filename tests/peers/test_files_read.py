"""Files of Planet's SDK or of a user: both read them alike, with the differences named here."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import planet
import planetkey
import pytest
from planet_auth.oidc.oidc_credential import FileBackedOidcCredential

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
    save_by_the_sdk,
    sdk_header,
    seed_user,
    token_file,
    well,
)
from simulator import Simulator
from test_files_written import jwt

NOW = int(time.time())
M2M_SERVER = "https://services.sentinel-hub.com/auth/realms/main"


def header(session: planetkey.Session) -> str:
    return session.headers(PLANET_API)["Authorization"]


def sdk_expiry(file: Path) -> float | None:
    credential = FileBackedOidcCredential(credential_file=file)
    credential.load()
    return credential.expiry_time()


def our_expiry(session: planetkey.Session) -> float | None:
    (source,) = session.status().sources
    return source.expires_at.timestamp() if source.expires_at else None


R1_TO_R3 = {
    "r1: claims go before the file": {
        "access_token": jwt({"iat": NOW - 60, "exp": NOW + 1000}),
        "_iat": NOW - 500,
        "_exp": NOW + 50_000,
        "expires_in": 99,
    },
    "r1: a claim alone": {"access_token": jwt({"exp": NOW + 1000})},
    "r1: a claim alone, of a token that has expired": {
        "access_token": jwt({"iat": NOW - 9000, "exp": NOW - 1000})
    },
    "r1: without exp the file's": {
        "access_token": jwt({"iat": NOW - 60}),
        "_exp": NOW + 1000,
        "expires_in": 99,
    },
    "r1: without exp anywhere expires_in from iat": {
        "access_token": jwt({"iat": NOW - 60}),
        "expires_in": 1000,
    },
    "r2: opaque, with the file's times": {
        "access_token": "opaque",
        "_iat": NOW - 60,
        "_exp": NOW + 1000,
        "expires_in": 1060,
    },
    "r2: opaque, with times that are fractions": {
        "access_token": "opaque",
        "_iat": NOW - 60.5,
        "_exp": NOW + 1000.5,
    },
    "r2: opaque, without the end": {"access_token": "opaque", "_iat": NOW - 60, "expires_in": 1000},
    "r2: opaque, expired": {
        "access_token": "opaque",
        "_iat": NOW - 2000,
        "_exp": NOW - 1000,
        "expires_in": 1000,
    },
    "r3: opaque, as versions before 2.3 wrote": {"access_token": "opaque", "expires_in": 1000},
    "r3: opaque, with a fraction": {"access_token": "opaque", "expires_in": 1000.5},
}


@pytest.mark.parametrize("vector", R1_TO_R3)
@pytest.mark.parametrize("has_refresh_token", [True, False])
def test_r1_to_r3_when_a_token_expires(
    home: Path, simulator: Simulator, vector: str, has_refresh_token: bool
) -> None:
    tokens = {"token_type": "Bearer", "scope": "planet"} | R1_TO_R3[vector]
    if has_refresh_token:
        tokens["refresh_token"] = "unused"
    file = put(token_file(home), tokens)
    session = planetkey.Session.from_profile(USER)
    session.is_initialized()
    # Without a time in the file, both count from when they read it. status has whole seconds.
    expected, found = sdk_expiry(file), our_expiry(session)
    assert expected is not None
    assert found is not None
    if expected < NOW:
        # It does not matter when it expired.
        assert found <= time.time()
        assert not has_refresh_token or session.is_initialized()
    else:
        assert abs(found - expected) <= 2
        assert header(session) == "Bearer " + tokens["access_token"]
    assert simulator.count("user.token") == 0


def test_r4_a_token_without_an_expiry_is_used(simulator: Simulator, home: Path) -> None:
    """By the SDK for ever; ours asks for a new one after five minutes, if it can."""
    tokens = {"access_token": "opaque", "token_type": "Bearer"}
    file = put(token_file(home), tokens)
    assert sdk_expiry(file) is None
    assert header(planetkey.Session.from_profile(USER)) == "Bearer opaque"
    put(file, tokens | {"refresh_token": "unused"})
    session = planetkey.Session.from_profile(USER)
    assert header(session) == "Bearer opaque"
    expiry = our_expiry(session)
    assert expiry is not None
    assert abs(expiry - (time.time() + 300)) <= 60
    assert simulator.count("user.token") == 0


def test_r5_a_refresh_token_alone_is_exchanged(simulator: Simulator, home: Path) -> None:
    tokens = simulator.seed(issuer=LOGIN)
    file = put(token_file(home), {"refresh_token": tokens["refresh_token"]})
    ours = header(planetkey.Session.from_profile(USER))
    assert (
        sdk_header(planet.Auth.from_profile(USER)) == ours == "Bearer " + kept(file)["access_token"]
    )
    assert simulator.count("user.token") == 1


def test_r6_an_id_token_alone_is_no_session(simulator: Simulator, home: Path) -> None:
    """The SDK then sends requests without a credential. planetkey says that a login is required."""
    file = put(token_file(home), {"id_token": jwt({"sub": "someone"})})
    before = file.read_bytes()
    session = planetkey.Session.from_profile(USER)
    assert not session.is_initialized()
    with pytest.raises(planetkey.LoginRequiredError) as refusal:
        header(session)
    assert refusal.value.reason == "never_logged_in"
    assert simulator.count("user.token") == 0
    assert file.read_bytes() == before


VALID = as_the_sdk_writes(
    {"access_token": "opaque", "token_type": "Bearer", "_iat": NOW - 60, "_exp": NOW + 1000}
)

# Files without a session: whether planetkey renames them, and the reason of LOGIN_REQUIRED.
R7_NO_SESSION = {
    "empty": (b"", "corrupt"),
    "half": (VALID[: len(VALID) // 2], "corrupt"),
    "a list": (b"[]", "corrupt"),
    "null": (b"null", "corrupt"),
    "no JSON": (b"access_token=opaque", "corrupt"),
    "an empty object": (b"{}", "never_logged_in"),
    "empty tokens": (b'{"access_token": "", "refresh_token": ""}', "never_logged_in"),
}


@pytest.mark.parametrize("vector", R7_NO_SESSION)
def test_r7_an_invalid_session_is_none_for_either(
    simulator: Simulator, home: Path, vector: str
) -> None:
    content, reason = R7_NO_SESSION[vector]
    file = put(token_file(home), content)
    with pytest.raises(Exception):  # noqa: B017, PT011
        sdk_expiry(file)
    with pytest.raises(planetkey.LoginRequiredError) as refusal:
        header(planetkey.Session.from_profile(USER))
    assert refusal.value.reason == reason
    aside = [entry for entry in file.parent.iterdir() if ".corrupt-" in entry.name]
    if reason == "corrupt" and content:
        # Nothing of it is lost, and it does not interfere.
        # An empty one has nothing to lose, and the SDK may be about to fill it.
        assert not file.exists()
        assert [entry.read_bytes() for entry in aside] == [content]
    else:
        assert (file.read_bytes(), aside) == (content, [])
    assert simulator.count("user.token") == 0


@pytest.mark.parametrize("vector", R7_NO_SESSION)
def test_r7_an_m2m_client_that_the_sdk_cannot_refresh_is_repaired_for_both(
    simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch, vector: str
) -> None:
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    file = put(token_file(home, f"planet-m2m-{simulator.client_id}"), R7_NO_SESSION[vector][0])
    ours = header(planetkey.Session.from_defaults())
    assert ours == "Bearer " + kept(file)["access_token"]
    assert sdk_header(planet.Auth.from_user_default_session()) == ours
    assert simulator.count("m2m.token") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + VALID,
        VALID.replace(b"\n", b"\r\n"),
        VALID + b"\0" * 100,
        VALID + b"\n",
        json.dumps(json.loads(VALID)).encode(),
    ],
    ids=["byte order mark", "line ends", "zero bytes", "line end", "one line"],
)
def test_r7_bytes_that_editors_and_disks_add_are_accepted(home: Path, content: bytes) -> None:
    put(token_file(home), content)
    assert header(planetkey.Session.from_profile(USER)) == "Bearer opaque"


def test_r8_and_r9_the_places_of_an_api_key(
    simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every place that the SDK knows; both send it as `Authorization: api-key`."""
    key = simulator.api_key
    prefixed = {"api_key": key, "bearer_token_prefix": "api-key"}
    put(config_file(home, "configured"), {"client_type": "static_apikey"} | prefixed)
    put(config_file(home, "beside"), {"client_type": "static_apikey"})
    put(token_file(home, "beside"), prefixed)
    put(token_file(home, "legacy"), {"jwt": "x.y.z", "key": key})
    put(
        config_file(home, "own-legacy"),
        {
            "client_type": "planet_legacy",
            "legacy_auth_endpoint": "https://api.planet.com/v0/auth/login",
        },
    )
    put(token_file(home, "own-legacy"), {"jwt": "x.y.z", "key": key})
    legacy = {
        "client_type": "planet_legacy",
        "legacy_auth_endpoint": "https://api.planet.com/v0/auth/login",
        "api_key": key,
    }
    put(config_file(home, "legacy-configured"), legacy)
    for profile in ("configured", "beside", "legacy", "own-legacy", "legacy-configured"):
        ours = planetkey.Session.from_profile(profile)
        assert header(ours) == sdk_header(planet.Auth.from_profile(profile)) == f"api-key {key}", (
            profile
        )
        assert ours.api_key() == key
        assert well(planetkey_command("--auth-profile", profile, "print-api-key")) == key


@pytest.mark.parametrize("prefix", [None, "Bearer", "other"])
def test_r8_a_key_of_another_scheme_is_not_sent_as_one_of_planets(
    simulator: Simulator, home: Path, prefix: str | None
) -> None:
    """The SDK sends any value there. planetkey sends API keys only as Planet accepts them."""
    config = {
        "client_type": "static_apikey",
        "api_key": simulator.api_key,
        "bearer_token_prefix": prefix,
    }
    put(config_file(home, "mine"), config)
    if prefix is None:
        assert header(planetkey.Session.from_profile("mine")).startswith("Basic ")
    else:
        with pytest.raises(planetkey.UnsupportedError):
            planetkey.Session.from_profile("mine")


def test_r9_the_key_that_version_2_saved(simulator: Simulator, home: Path) -> None:
    """The SDK sends it as `api-key`, planetkey as Basic, as Planet documents."""
    put(home / ".planet.json", '{"key": "' + simulator.api_key + '"}')
    assert sdk_header(planet.Auth.from_user_default_session()) == f"api-key {simulator.api_key}"
    ours = planetkey.Session.from_defaults()
    assert ours.api_key() == simulator.api_key
    assert header(ours).startswith("Basic ")
    assert well(planetkey_command("print-api-key")) == simulator.api_key


PUBLIC = {"client_type": "oidc_device_code", "client_id": "mine", "auth_server": LOGIN}
M2M = {
    "client_type": "oidc_client_credentials_secret",
    "client_id": "c",
    "client_secret": "s",
    "auth_server": M2M_SERVER,
}
OWNER = {"client_type": "oidc_resource_owner", "client_id": "mine", "auth_server": LOGIN}

# Client configurations, and whether they can be used.
R10: dict[str, tuple[Mapping[str, Any], bool]] = {
    "public": (PUBLIC, True),
    "unknown members": (PUBLIC | {"_comment": "x", "_hidden": True, "more": {"a": [1]}}, True),
    "browser": (
        PUBLIC | {"client_type": "oidc_auth_code", "redirect_uri": "http://localhost:1/x"},
        True,
    ),
    "browser, local": (
        PUBLIC | {"client_type": "oidc_auth_code", "local_redirect_uri": "http://localhost:1/x"},
        True,
    ),
    "browser with a secret": (
        PUBLIC
        | {
            "client_type": "oidc_auth_code_secret",
            "client_secret": "s",
            "redirect_uri": "http://localhost:1/x",
        },
        True,
    ),
    "device with a secret": (
        PUBLIC | {"client_type": "oidc_device_code_secret", "client_secret": "s"},
        True,
    ),
    "username": (OWNER | {"username": "u", "password": "p"}, True),
    "user_name": (OWNER | {"user_name": "u", "user_password": "p"}, True),
    "m2m": (M2M, True),
    "no audience": (M2M | {"audiences": []}, True),
    "one audience": (M2M | {"audiences": ["https://api.planet.com/"]}, True),
    "two audiences": (M2M | {"audiences": ["a", "b"]}, False),
    "audience is no list": (M2M | {"audiences": "a"}, False),
    "no secret": ({name: value for name, value in M2M.items() if name != "client_secret"}, False),
    "no id": ({name: value for name, value in PUBLIC.items() if name != "client_id"}, False),
    "unknown type": (PUBLIC | {"client_type": "oidc_telepathy"}, False),
    "no type": ({"client_id": "mine"}, False),
}


@pytest.mark.parametrize("vector", R10)
def test_r10_client_configurations(home: Path, vector: str) -> None:
    config, is_usable = R10[vector]
    file = put(config_file(home, "mine"), config)
    before = file.read_bytes()
    if is_usable:
        assert planet.Auth.from_profile("mine") is not None
        assert (
            planetkey.Session.from_profile("mine").status().sources[0].client_id
            == config["client_id"]
        )
    else:
        with pytest.raises(Exception):  # noqa: B017, PT011
            planet.Auth.from_profile("mine")
        with pytest.raises(planetkey.MisconfiguredError):
            planetkey.Session.from_profile("mine")
    assert file.read_bytes() == before


# Encrypts by turning letters round, in the two ways that the SDK and planetkey call it.
SOPS = """#!/usr/bin/env python3
import codecs, json, sys

arguments = sys.argv[1:]
path = arguments[-1]
with open(path) as file:
    text = file.read()
if arguments[0] == "-d":
    print(codecs.encode(json.loads(text)["data"], "rot13"), end="")
else:
    encrypted = json.dumps({"data": codecs.encode(text, "rot13"), "sops": {"version": "stand-in"}})
    if "-i" in arguments:
        with open(path, "w") as file:
            file.write(encrypted)
    else:
        print(encrypted)
"""


@pytest.fixture
def sops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replacement for the program, which no package registry has."""
    program = put(tmp_path / "bin" / "sops", SOPS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("sops")
def test_r11_an_encrypted_login_of_the_sdk_is_read_before_a_plain_one(
    simulator: Simulator, home: Path
) -> None:
    login = [
        "auth",
        "login",
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret",
        simulator.client_secret,
    ]
    well(planet_command(*login, "--sops"))
    profile = f"planet-m2m-{simulator.client_id}"
    encrypted = config_file(home, profile).with_name("auth_client.sops.json")
    assert simulator.client_secret.encode() not in encrypted.read_bytes()
    # A plain file beside it counts for neither.
    put(config_file(home, profile), {"client_type": "none"})
    token_file(home, profile).unlink()
    ours = header(planetkey.Session.from_defaults())
    assert sdk_header(planet.Auth.from_user_default_session()) == ours
    assert simulator.count("m2m.token") == 2


@pytest.mark.usefixtures("sops")
def test_r11_the_sdk_reads_an_encrypted_login_of_planetkey(
    simulator: Simulator, home: Path
) -> None:
    well(
        planetkey_command(
            "login",
            "--auth-client-id",
            simulator.client_id,
            "--auth-client-secret-file",
            "-",
            "--sops",
            stdin=simulator.client_secret,
        )
    )
    profile = f"planet-m2m-{simulator.client_id}"
    assert not config_file(home, profile).exists()
    assert (
        simulator.client_secret.encode()
        not in config_file(home, profile).with_name("auth_client.sops.json").read_bytes()
    )
    assert sdk_header(planet.Auth.from_user_default_session()) == header(
        planetkey.Session.from_defaults()
    )
    assert simulator.count("m2m.token") == 1


@pytest.mark.usefixtures("sops")
def test_r11_either_refreshes_encrypted_tokens(simulator: Simulator, home: Path) -> None:
    tokens = simulator.seed(issuer=LOGIN, lifetime=HOUR, age=2 * HOUR)
    file = token_file(home).with_name("token.sops.json")
    save_by_the_sdk(file, tokens)
    assert tokens["refresh_token"].encode() not in file.read_bytes()
    by_ours = header(planetkey.Session.from_profile(USER))
    assert sdk_header(planet.Auth.from_profile(USER)) == by_ours
    well(planet_command("--auth-profile", USER, "auth", "refresh"))
    assert (
        header(planetkey.Session.from_profile(USER))
        == sdk_header(planet.Auth.from_profile(USER))
        != by_ours
    )
    assert {entry.name for entry in file.parent.iterdir()} == {
        "token.sops.json",
        "token.json.lock",
        "token.planetkey.json",
    }
    session = simulator.session_of(tokens["refresh_token"])
    assert (session["active"], session["rotations"], session["reuse"]) == (True, 2, 0)


def test_a_file_that_others_may_read_is_used_and_made_private_by_the_next_refresh(
    simulator: Simulator, home: Path
) -> None:
    tokens = seed_user(simulator, home, age=2 * HOUR)
    token_file(home).chmod(0o644)
    header(planetkey.Session.from_profile(USER))
    assert token_file(home).stat().st_mode & 0o777 == 0o600
    assert simulator.session_of(tokens["refresh_token"])["rotations"] == 1

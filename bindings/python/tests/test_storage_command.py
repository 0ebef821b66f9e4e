"""A profile whose session a program saves: tokens, a login, and what a failure looks like."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import planetkey
import pytest
from planet_simulator import Simulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")

HELPER = """#!/bin/sh
case $2 in
    get) cat "$0.secret" 2>/dev/null || echo '{}' ;;
    store) cat >"$0.secret" ;;
    erase) rm -f "$0.secret" ;;
esac
"""


def program(script: str) -> Path:
    path = Path.home() / "helper"
    path.write_text(script, encoding="utf-8")
    path.chmod(0o700)
    return path


def profile(simulator: Simulator, **client: Any) -> planetkey.Session:  # noqa: ANN401
    """The session of a profile with a program, which gets the argument `work`."""
    directory = Path(os.environ["HOME"]) / ".planet" / "work"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = client | {"storage_command": [str(Path.home() / "helper"), "work"]}
    (directory / "auth_client.json").write_text(json.dumps(config), encoding="utf-8")
    return planetkey.Session.from_profile(
        "work", deployment=simulator.deployment, allow_insecure_loopback=True
    )


def m2m(simulator: Simulator) -> planetkey.Session:
    return profile(
        simulator,
        client_type="oidc_client_credentials_secret",
        auth_server=simulator.issuer,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
    )


def test_a_program_saves_the_tokens(simulator: Simulator) -> None:
    secret = program(HELPER).with_suffix(".secret")
    session = m2m(simulator)
    token = session.access_token()
    saved = json.loads(secret.read_text(encoding="utf-8"))
    assert (saved["version"], saved["profile"]) == (1, "work")
    assert saved["session"]["access_token"] == token
    names = {path.name for path in (Path.home() / ".planet" / "work").iterdir()}
    assert names == {"auth_client.json", "token.json.lock", "token.planetkey.json"}
    store = session.status().sources[0].store
    assert store == {
        "name": f"storage_command {Path.home() / 'helper'}",
        "reachable": True,
        "holds": "token",
        "problem": None,
    }
    assert m2m(simulator).access_token() == token
    assert simulator.count("m2m.token") == 1
    assert session.logout().removed
    assert not secret.exists()


def test_a_failure_is_a_storage_error(simulator: Simulator) -> None:
    program("#!/bin/sh\necho 'the key ring is locked' >&2\nexit 1\n")
    user = profile(
        simulator,
        client_type="oidc_device_code",
        auth_server=simulator.user_issuer,
        client_id="client",
        scopes=["planet", "offline_access"],
    )
    with pytest.raises(planetkey.StorageError, match='"the key ring is locked"'):
        user.access_token()
    with pytest.raises(planetkey.StorageError):
        user.login(prompt=lambda _: pytest.fail("the user is not asked"))
    # An M2M client needs nothing that is saved.
    session = m2m(simulator)
    assert session.access_token()
    assert any("the key ring is locked" in note for note in session.status().notes)
    assert not (Path.home() / ".planet" / "work" / "token.json").exists()

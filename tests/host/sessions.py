"""Sessions and clients in a home directory of a test, and their state."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from places import HANGS_AFTER_S, Finished, Place, User, put, well
from simulator import Simulator, clean_environment

HOUR = 3600
USER_PROFILE = "planet-user"


def profile_directory(root: Path, profile: str = USER_PROFILE) -> Path:
    """The directory of a profile below a storage root."""
    return root / ".planet" / profile


def token_file(root: Path, profile: str = USER_PROFILE) -> Path:
    """The token file of a profile below a storage root."""
    return profile_directory(root, profile) / "token.json"


def config_file(root: Path, profile: str) -> Path:
    """The client configuration of a profile below a storage root."""
    return profile_directory(root, profile) / "auth_client.json"


def as_the_sdk_writes(members: Mapping[str, Any]) -> str:
    """The text of the SDK's files."""
    return json.dumps(members, indent=2, sort_keys=True)


def saved(file: Path) -> dict[str, Any]:
    """The members of a file."""
    members: dict[str, Any] = json.loads(file.read_bytes())
    return members


def seed(simulator: Simulator, root: Path, owner: User, *, age: int = 2 * HOUR) -> dict[str, Any]:
    """Saves a user session, whose access token is expired unless `age` says otherwise."""
    tokens = simulator.seed(lifetime=HOUR, age=age)
    put(token_file(root), as_the_sdk_writes(tokens), owner)
    return tokens


def check_lives(simulator: Simulator, tokens: Mapping[str, Any], refreshes: int) -> None:
    """Checks that the session is active, was refreshed this often, and had no reuse."""
    session = simulator.session_of(tokens["refresh_token"])
    assert session["active"], session
    assert (session["rotations"], session["reuse"], session["repeats"]) == (refreshes, 0, 0)


def m2m_profile(simulator: Simulator) -> str:
    """The profile that a login of the M2M client gets."""
    return f"planet-m2m-{simulator.client_id}"


def m2m_login(
    place: Place, simulator: Simulator, user: User, home: Path | str | None, **run: Any
) -> Finished:
    """Logs the M2M client in, which saves it with a token and makes it the default."""
    arguments = (
        "login",
        "--auth-client-id",
        simulator.client_id,
        "--auth-client-secret-file",
        "-",
        "--yes",
    )
    return place.run(user, home, *arguments, stdin=simulator.client_secret, **run)


def m2m_config(simulator: Simulator, **members: Any) -> str:
    """The client configuration of the M2M client."""
    config = {
        "client_type": "oidc_client_credentials_secret",
        "auth_server": simulator.issuer,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
        "scopes": [],
    }
    return as_the_sdk_writes(config | members)


def device_login(place: Place, simulator: Simulator, user: User, home: Path) -> None:
    """Logs a user in by a device code, as `planetkey login` does on a host without a browser."""
    program = subprocess.Popen(
        [place.program, "login", "--device", "--no-open-browser", "--yes"],
        env={**clean_environment(home), **place.environment},
        cwd=place.path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **user.switch,
    )
    assert program.stderr is not None
    said = ""
    try:
        while not (codes := re.findall(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", said)):
            line = program.stderr.readline()
            assert line, said
            said += line
        simulator.log_in(user_code=codes[0], username="ada")
        _, rest = program.communicate(timeout=HANGS_AFTER_S)
        assert program.returncode == 0, said + rest
    finally:
        program.kill()
        program.wait()
        program.stderr.close()


def access_token(finished: Finished) -> str:
    """The access token that a command printed."""
    token = well(finished)
    assert token.count(".") == 2, finished
    return token

"""Saved sessions with an expired access token, as Planet's SDK writes them."""

import json
import time
from pathlib import Path
from typing import Any

import planetkey

from simulator import Simulator, clean_environment

HOUR = 3600


def write_tokens(home: Path, profile: str, tokens: dict[str, Any]) -> Path:
    """Writes `token.json` as the SDK does."""
    directory = home / ".planet" / profile
    directory.mkdir(parents=True)
    file = directory / "token.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(tokens, indent=2, sort_keys=True))
    return file


class UserSession:
    """A user session: every refresh token is valid once, and sending it again ends the session."""

    target = "user.token"

    def __init__(self, simulator: Simulator, home: Path) -> None:
        self._simulator = simulator
        self._seeded = simulator.seed(lifetime=HOUR, age=2 * HOUR)
        write_tokens(home, "planet-user", self._seeded)
        self.url = simulator.planet_api + "/data/v1/item-types"
        self.environment = clean_environment(home) | simulator.loopback_environment()

    def open(self) -> planetkey.Session:
        """Opens another session of the same user, in this process."""
        return planetkey.Session.from_profile(
            "planet-user", deployment=self._simulator.deployment, allow_insecure_loopback=True
        )

    def check(self, refreshes: int) -> None:
        """Checks that the session is active and how often it was refreshed."""
        session = self._simulator.session_of(self._seeded["refresh_token"])
        assert session["active"], session
        assert (session["rotations"], session["reuse"], session["repeats"]) == (refreshes, 0, 0)
        assert self._simulator.count(self.target) == refreshes


class M2mSession:
    """An M2M client, with an expired saved token or none."""

    target = "m2m.token"

    def __init__(self, simulator: Simulator, home: Path, *, has_old_token: bool) -> None:
        self._simulator = simulator
        if has_old_token:
            now = int(time.time())
            times = {"iat": now - 2 * HOUR, "exp": now - HOUR}
            token = simulator.token(claims=times)
            tokens = {"access_token": token, "expires_in": HOUR, "token_type": "Bearer"}
            tokens |= {"_iat": times["iat"], "_exp": times["exp"]}
            write_tokens(home, f"planet-m2m-{simulator.client_id}", tokens)
        self.url = simulator.sentinel_hub_api + "/api/v1/catalog/1.0.0/"
        self.environment = (
            clean_environment(home)
            | simulator.loopback_environment()
            | {
                "PL_AUTH_CLIENT_ID": simulator.client_id,
                "PL_AUTH_CLIENT_SECRET": simulator.client_secret,
            }
        )

    def open(self) -> planetkey.Session:
        """Opens another session of the same client, in this process."""
        simulator = self._simulator
        return planetkey.Session.from_m2m(
            simulator.client_id,
            simulator.client_secret,
            deployment=simulator.deployment,
            allow_insecure_loopback=True,
        )

    def check(self, refreshes: int) -> None:
        """Checks how many tokens were requested and issued."""
        assert self._simulator.count(self.target) == refreshes
        assert self._simulator.count(self.target + ".issued") == refreshes


KINDS = ("user", "m2m")


def expired_session(
    kind: str, simulator: Simulator, home: Path, repetition: int
) -> UserSession | M2mSession:
    """A session of this kind without a valid token.

    An M2M client has an expired token or none yet.
    """
    if kind == "user":
        return UserSession(simulator, home)
    return M2mSession(simulator, home, has_old_token=repetition % 2 == 0)

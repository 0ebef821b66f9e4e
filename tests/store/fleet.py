"""Machines that share nothing but a store: each has a home directory of its own."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import planetkey
from simulator import Simulator, clean_environment

KEY = "a-key-of-the-tests-with-enough-characters"
PATIENCE_S = 30
# A token whose end a test can wait for. Only the response says that it is short: a JWT of one
# second has expired, and is refused, if a busy machine takes longer than that to receive it.
MOMENT = {"token_response": {"set": {"expires_in": 1}}}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Waits until something holds, and fails if it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _wait_until_expired(session: planetkey.Session) -> None:
    wait_until(lambda: not session.status().sources[0].token_cached, "the token did not expire")


class Fleet:
    """Any number of machines, and one user or M2M client for all of them."""

    def __init__(self, simulator: Simulator, directory: Path) -> None:
        self.simulator = simulator
        self._directory = directory

    def home(self, number: int) -> Path:
        """The home directory of a machine."""
        home = self._directory / f"machine-{number}"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home

    def _options(self, number: int, store: str | None, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "storage_root": self.home(number),
            "store": store,
            "deployment": self.simulator.deployment,
            "allow_insecure_loopback": True,
        } | more

    def m2m(self, number: int, store: str | None, **more: Any) -> planetkey.Session:
        """The M2M client on a machine."""
        secret = more.pop("client_secret", self.simulator.client_secret)
        return planetkey.Session.from_m2m(
            self.simulator.client_id, secret, **self._options(number, store, more)
        )

    def user(self, number: int, store: str | None, **more: Any) -> planetkey.Session:
        """The user on a machine."""
        return planetkey.Session.from_profile("planet-user", **self._options(number, store, more))

    def open(self, kind: str, number: int, store: str | None, **more: Any) -> planetkey.Session:
        """A session of this kind on a machine."""
        opened = self.m2m if kind == "m2m" else self.user
        return opened(number, store, **more)

    def log_in(self, store: str, number: int = 0, *, expired: bool = True) -> planetkey.Session:
        """Logs the user in on a machine; afterwards the access token has expired or not."""
        self.simulator.settings(device_interval=1)
        session = self.user(number, store)
        login = session.start_device_login()
        self.simulator.log_in(user_code=login.user_code)
        if expired:
            self.simulator.script("user.token", MOMENT)
        login.wait()
        if expired:
            _wait_until_expired(session)
        # What the login itself sent does not count.
        assert self.simulator.count("user.rotations") == 0
        return session

    def let_expire(self, kind: str, store: str) -> None:
        """Gets a token on a machine that is none of the others, and waits until it has expired."""
        if kind == "user":
            self.log_in(store, number=100)
            return
        self.simulator.script("m2m.token", MOMENT)
        session = self.m2m(100, store)
        session.access_token()
        _wait_until_expired(session)

    def check_user(self, rotations: int) -> None:
        """Checks that the user is logged in, and how often the session was refreshed."""
        count = self.simulator.count
        assert count("user.sessions.active") == 1
        assert (count("user.rotations"), count("user.reuse")) == (rotations, 0)

    def environment(self, number: int, store: str, kind: str) -> dict[str, str]:
        """The variables of a program on a machine."""
        simulator = self.simulator
        found = clean_environment(self.home(number)) | simulator.loopback_environment()
        found |= {"PLANETKEY_STORE": store, "PLANETKEY_STORE_KEY": KEY}
        if kind == "m2m":
            found["PL_AUTH_CLIENT_ID"] = simulator.client_id
            found["PL_AUTH_CLIENT_SECRET"] = simulator.client_secret
        return found

    def url(self, kind: str) -> str:
        """What a request of this kind goes to."""
        simulator = self.simulator
        if kind == "m2m":
            return simulator.sentinel_hub_api + "/api/v1/catalog/1.0.0/"
        return simulator.planet_api + "/data/v1/item-types"


def refreshes(simulator: Simulator, kind: str) -> int:
    """How many tokens were requested; without those of logins."""
    return simulator.count("m2m.token" if kind == "m2m" else "user.rotations")


def is_refresh(request: dict[str, Any]) -> bool:
    """Whether a recorded request sent a refresh token."""
    return ("grant_type", "refresh_token") in {(name, value) for name, value in request["form"]}

"""The simulator as the tests use it: its control API, and sessions on its servers."""

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, Generic, TypeVar

import planetkey

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[3]

# Nothing on the developer's machine may reach a test, and no test another host.
FOREIGN_VARIABLES = (
    "PL_AUTH_PROFILE",
    "PL_AUTH_CLIENT_ID",
    "PL_AUTH_CLIENT_SECRET",
    "PL_API_KEY",
    "PLANET_API_KEY",
    "SH_CLIENT_ID",
    "SH_CLIENT_SECRET",
    "SH_PROFILE",
    "PLANETKEY_DEPLOYMENT",
    "PLANETKEY_ALLOW_INSECURE_LOOPBACK",
    "PLANETKEY_STORAGE_ROOT",
    "XDG_CONFIG_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)


def simulator_binary() -> Path:
    """The simulator that the caller built, or the one of a release build."""
    named = os.environ.get("PLANETKEY_SIMULATOR_BINARY")
    return Path(named) if named else REPOSITORY / "target" / "release" / "planetkey-simulator"


USER_PROFILE = "planet-user"


def token_file(profile: str, root: Path | None = None) -> Path:
    """Where a profile's tokens are kept; below the home directory unless told otherwise."""
    return (root or Path(os.environ["HOME"])) / ".planet" / profile / "token.json"


def sdk_text(members: Mapping[str, object]) -> str:
    """The text of a JSON file as Planet's SDK writes it."""
    return json.dumps(members, indent=2, sort_keys=True)


class Simulator:
    """A running simulator."""

    def __init__(self, announcement: str) -> None:
        facts: dict[str, Any] = json.loads(announcement)
        self.control: str = facts["control"]
        self.planet_api: str = facts["planet_api"]
        self.sentinel_hub_api: str = facts["sentinel_hub_api"]
        self.issuer: str = facts["m2m"]
        self.tls_issuer: str = facts["tls"]
        self.proxy: str = facts["proxy"]
        self.api_key: str = facts["api_key"]
        self.client_id: str = facts["client_id"]
        self.client_secret: str = facts["client_secret"]
        self.deployment = Path(facts["deployment"])
        self.ca = Path(facts["ca"])
        self._children: list[subprocess.Popen[str]] = []
        # Loopback goes through no proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _call(self, path: str, body: object = None) -> Any:  # noqa: ANN401
        data = None if body is None else json.dumps(body).encode()
        with self._opener.open(urllib.request.Request(self.control + path, data=data), timeout=60) as answer:
            return json.load(answer)

    def reset(self) -> None:
        self._call("/reset", {})

    def settings(self, **settings: object) -> None:
        self._call("/settings", settings)

    def script(self, target: str, *steps: Mapping[str, object], repeat: bool = False) -> None:
        self._call("/script", {"target": target, "steps": list(steps), "repeat": repeat})

    def release(self, hold: str) -> None:
        self._call("/release", {"hold": hold})

    def revoke_all(self) -> None:
        self._call("/revoke", {"all": True})

    def requests(self, target: str) -> list[dict[str, Any]]:
        answer = self._call("/requests?" + urllib.parse.urlencode({"target": target}))
        entries: list[dict[str, Any]] = answer if isinstance(answer, list) else answer["requests"]
        return entries

    def count(self, target: str) -> int:
        count: int = self._call("/counters").get(target, 0)
        return count

    def wait_held(self, hold: str, count: int = 1) -> None:
        """Returns when so many requests wait in the hold; fails when they never do."""
        query = urllib.parse.urlencode({"held": hold, "count": count, "timeout_ms": 30_000})
        answer = self._call("/wait?" + query)
        assert answer["reached"], f"{answer['count']} of {count} requests came to {hold}"

    def environment(self) -> dict[str, str]:
        """The environment of a child process that finds the simulator by `from_defaults`."""
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
        return kept | {
            "PLANETKEY_DEPLOYMENT": str(self.deployment),
            "PLANETKEY_ALLOW_INSECURE_LOOPBACK": "1",
            "PL_API_KEY": self.api_key,
            "PL_AUTH_CLIENT_ID": self.client_id,
            "PL_AUTH_CLIENT_SECRET": self.client_secret,
            "PLANETKEY_SIMULATOR_PLANET_API": self.planet_api,
            "PLANETKEY_SIMULATOR_SENTINEL_HUB_API": self.sentinel_hub_api,
        }

    def m2m(self, **options: Any) -> planetkey.Session:  # noqa: ANN401
        """A new session of the simulator's M2M client."""
        return planetkey.Session.from_m2m(
            self.client_id, self.client_secret, deployment=self.deployment, allow_insecure_loopback=True, **options
        )

    def user(self, **options: Any) -> planetkey.Session:  # noqa: ANN401
        """A new session of whoever has logged in to the built-in profile."""
        return planetkey.Session.from_profile(
            USER_PROFILE, deployment=self.deployment, allow_insecure_loopback=True, **options
        )

    @property
    def m2m_profile(self) -> str:
        """The profile that keeps the tokens of the simulator's M2M client."""
        return f"planet-m2m-{self.client_id}".lower()

    def log_in(self, root: Path | None = None, **wanted: object) -> dict[str, Any]:
        """Opens a user's session at the server and keeps it as Planet's SDK does; gives the answer of the login."""
        answer: dict[str, Any] = self._call("/sessions", wanted)
        file = token_file(USER_PROFILE, root)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.write_text(sdk_text(answer), encoding="utf-8")
        return answer

    def browse(self, authorization_url: str, **person: object) -> str:
        """Goes through the pages of a login as a person does; where the browser would be sent in the end."""
        location: str = self._call("/login", {"authorization_url": authorization_url, **person})["location"]
        return location

    def approve(self, user_code: str, **person: object) -> None:
        """Enters the code of a device login as a person does."""
        self._call("/login", {"user_code": user_code, **person})

    def add_client(self, **registration: object) -> None:
        self._call("/clients", registration)

    def family(self, token: str) -> dict[str, Any]:
        """What the server knows of a user's session, by any of its tokens."""
        families: list[dict[str, Any]] = self._call("/sessions?" + urllib.parse.urlencode({"token": token}))
        assert len(families) == 1, families
        return families[0]

    def end_session(self, refresh_token: str) -> None:
        """Ends a user's session at the server, as the user or an administrator does."""
        self._call("/revoke", {"refresh_token": refresh_token})

    def key(self, **options: Any) -> planetkey.Session:  # noqa: ANN401
        """A new session of the simulator's API key."""
        return planetkey.Session.from_api_key(
            self.api_key, deployment=self.deployment, allow_insecure_loopback=True, **options
        )

    def python(self, script: str, *, real_names: bool = False) -> "subprocess.Popen[str]":
        """Starts a Python process that runs a script; `from_defaults` finds the simulator, or Planet's own host names
        lead to it. It can import the modules beside this one.
        """
        environment = self.environment() | {"PYTHONPATH": str(Path(__file__).parent)}
        if real_names:
            del environment["PLANETKEY_DEPLOYMENT"], environment["PLANETKEY_ALLOW_INSECURE_LOOPBACK"]
            environment |= {
                "HTTPS_PROXY": self.proxy,
                "SSL_CERT_FILE": str(self.ca),
                "REQUESTS_CA_BUNDLE": str(self.ca),
            }
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        return child

    def end_children(self) -> None:
        """Ends the processes that a failed test left behind."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.communicate()
        self._children.clear()


def line(process: "subprocess.Popen[str]") -> str:
    """The next line that a process prints; nothing when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def tell(process: "subprocess.Popen[str]", text: str) -> None:
    """A line for a process to read."""
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, output and errors of a process; one that never ends is killed and fails the test."""
    try:
        output, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, output, errors


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a call in a thread returned or raised."""

    value: T | None
    error: BaseException | None


class Together(Generic[T]):
    """The same call in many threads, which start it at the same moment."""

    def __init__(self, count: int, call: Callable[[], T]) -> None:
        self._call = call
        self._barrier = Barrier(count + 1)
        self._outcomes: list[Outcome[T]] = []
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        self._barrier.wait(30)

    def _run(self) -> None:
        self._barrier.wait(30)
        try:
            self._outcomes.append(Outcome(self._call(), None))
        except BaseException as error:
            self._outcomes.append(Outcome(None, error))

    @property
    def finished(self) -> int:
        """How many calls have returned."""
        return len(self._outcomes)

    def join(self) -> list[Outcome[T]]:
        """Waits for all calls; one that never returns fails the test."""
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)
        return self._outcomes

"""Planet's SDK rewrites files in place without a lock. Readers of torn files must not fail.

A file that stays torn for a quarter of a second counts as damaged. If a busy computer stops the
writer for that long, the test proves nothing and is repeated.
"""

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, ParamSpec

import planetkey
import pytest

from both import (
    HOUR,
    LOGIN,
    PLANET_API,
    USER,
    as_the_sdk_writes,
    config_file,
    is_accepted,
    kept,
    planetkey_command,
    put,
    token_file,
    well,
)
from simulator import Simulator

OPENINGS = 1000
COMMANDS = 40
REFRESHES = 50
# So often the hammer must have struck, at least, for a test to prove anything.
BLOWS = 30
# A write that took this long may have left a file that counts as damaged.
TOO_LONG_MS = 200

P = ParamSpec("P")


class StoppedWriterError(Exception):
    """The computer stopped the writer for too long."""


def repeated_if_the_writer_was_stopped(test: Callable[P, None]) -> Callable[P, None]:
    """A test that is repeated until the writer was not stopped."""

    @functools.wraps(test)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> None:
        while True:
            try:
                return test(*args, **kwargs)
            except StoppedWriterError:
                continue

    return repeated


@contextmanager
def hammering(file: Path, documents: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """A process of the SDK writes these documents to the file, over and over, in the meantime."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("hammer.py"), file, str(len(documents))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for document in documents:
            process.stdin.write(json.dumps(document) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "hammering\n"
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
        assert process.poll() is None, "the hammer broke"
        process.stdin.close()
        written, longest_ms = map(int, process.stdout.readline().split())
        if longest_ms >= TOO_LONG_MS:
            raise StoppedWriterError from failure
        if failure is not None:
            raise failure
        assert written >= BLOWS, "there was too little hammering to prove anything"
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def is_torn(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return True
    return False


def check_that_readers_meet_torn_files(file: Path) -> None:
    """Otherwise the test would prove nothing."""
    assert any(is_torn(file) for _ in range(100_000)), "no reader ever saw a torn file"


@pytest.fixture
def sessions(simulator: Simulator) -> list[dict[str, Any]]:
    """Two valid sessions, so that readers can tell them apart."""
    return [simulator.seed(issuer=LOGIN, subject=subject) for subject in ("one", "other")]


@repeated_if_the_writer_was_stopped
def test_f095_a_token_that_is_rewritten_without_pause_is_read(
    simulator: Simulator, home: Path, sessions: list[dict[str, Any]]
) -> None:
    file = token_file(home)
    tokens = {session["access_token"] for session in sessions}
    with hammering(file, sessions):
        check_that_readers_meet_torn_files(file)
        long_lived = planetkey.Session.from_profile(USER)
        for _ in range(OPENINGS):
            assert planetkey.Session.from_profile(USER).access_token() in tokens
            assert long_lived.access_token() in tokens
            assert (
                planetkey.Session.from_defaults()
                .headers(PLANET_API)["Authorization"]
                .removeprefix("Bearer ")
                in tokens
            )
        with ThreadPoolExecutor(2) as pool:
            for finished in pool.map(
                lambda _: planetkey_command("print-access-token"), range(COMMANDS)
            ):
                assert well(finished) in tokens
    assert simulator.count("user.token") == 0


@repeated_if_the_writer_was_stopped
def test_f095_a_refresh_succeeds(
    simulator: Simulator, home: Path, sessions: list[dict[str, Any]]
) -> None:
    """planetkey replaces the file while the SDK rewrites it, and always has a valid token."""
    file = token_file(home)
    # The next write restores the old refresh token, so the server must allow that.
    simulator.settings(rotation=False)
    with hammering(file, sessions):
        for _ in range(20):
            ours = planetkey.Session.from_profile(USER)
            ours.refresh()
            assert is_accepted(ours.access_token())
    assert kept(file)["refresh_token"] in {session["refresh_token"] for session in sessions}
    for session in sessions:
        assert simulator.session_of(session["refresh_token"])["active"]


@repeated_if_the_writer_was_stopped
def test_f095_an_m2m_client_gets_a_token(
    simulator: Simulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the hammer writes has expired: every new session asks once, and is served."""
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", simulator.client_id)
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", simulator.client_secret)
    file = token_file(home, f"planet-m2m-{simulator.client_id}")
    expired = [
        {
            "access_token": f"expired-{number}",
            "token_type": "Bearer",
            "expires_in": HOUR,
            "_iat": 1,
            "_exp": 1 + HOUR,
        }
        for number in range(2)
    ]
    openings = 100
    with hammering(file, expired):
        for _ in range(openings):
            header = planetkey.Session.from_defaults().headers(PLANET_API)["Authorization"]
            assert "expired" not in header
    assert simulator.count("m2m.token") <= openings


@repeated_if_the_writer_was_stopped
def test_f095_a_profile_that_is_rewritten_without_pause_is_read(
    simulator: Simulator, home: Path
) -> None:
    """`planet.Auth.from_oauth_m2m` rewrites the client configuration with each call."""
    config = {
        "auth_server": "https://services.sentinel-hub.com/auth/realms/main",
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
        "client_type": "oidc_client_credentials_secret",
    }
    file = config_file(home, "mine")
    with hammering(file, [config, config | {"_comment": "x" * 6000}]):
        check_that_readers_meet_torn_files(file)
        for _ in range(OPENINGS):
            session = planetkey.Session.from_profile("mine")
            assert session.status().sources[0].client_id == simulator.client_id
        with ThreadPoolExecutor(2) as pool:
            for finished in pool.map(
                lambda _: planetkey_command("--profile", "mine", "status"), range(COMMANDS)
            ):
                assert simulator.client_id in well(finished)


@repeated_if_the_writer_was_stopped
def test_f095_preferences_that_are_rewritten_without_pause_are_read(
    simulator: Simulator, home: Path
) -> None:
    file = home / ".planet.json"
    preferences = [
        {"PL_API_KEY": simulator.api_key, "comment": "x" * length} for length in (1, 6000)
    ]
    with hammering(file, preferences):
        check_that_readers_meet_torn_files(file)
        for _ in range(OPENINGS):
            session = planetkey.Session.from_defaults()
            assert not any(".planet.json" in note for note in session.status().notes)
            assert session.api_key() == simulator.api_key


def test_f095_the_sdk_never_reads_a_torn_file_of_planetkey(
    simulator: Simulator, home: Path, sessions: list[dict[str, Any]]
) -> None:
    """The reverse: planetkey replaces the file, and readers without a lock see it whole."""
    file = put(token_file(home), as_the_sdk_writes(sessions[0]))
    simulator.settings(rotation=False)
    has_ended = Event()

    def refresh() -> None:
        for _ in range(REFRESHES):
            if has_ended.is_set():
                break
            planetkey.Session.from_profile(USER).refresh()

    with ThreadPoolExecutor(1) as pool:
        refreshes = pool.submit(refresh)
        readings = 0
        try:
            while not refreshes.done():
                assert not is_torn(file)
                readings += 1
        finally:
            # The pool waits for it, also after a failure.
            has_ended.set()
        refreshes.result()
    assert readings > REFRESHES
    assert simulator.count("user.token") == REFRESHES

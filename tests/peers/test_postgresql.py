"""The storage of the manual in a real PostgreSQL: many machines, one token request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import planetkey
import psycopg
import pytest

import postgresql
from simulator import Simulator, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(
        postgresql.programs() is None, reason="the Debian package postgresql is not installed"
    ),
    # They share a server.
    pytest.mark.xdist_group("postgresql"),
]
NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.running_server() as conninfo:
        with psycopg.connect(conninfo) as connection:
            connection.execute(postgresql.files_of_page()["tokens.sql"])
        yield conninfo


@pytest.fixture
def database(server: str) -> str:
    with psycopg.connect(server) as connection:
        connection.execute("DELETE FROM planetkey_tokens")
    return server


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files of the page, beside the packages that they import."""
    for name, text in postgresql.files_of_page().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    return tmp_path


@pytest.fixture
def storage_class(files: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(files))
    import importlib

    return importlib.import_module("postgresql_storage").PostgresStorage


def for_node(conninfo: str) -> str:
    parts = dict(part.split("=", 1) for part in conninfo.split())
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}"


class Machines:
    """Processes that share nothing but the database, as if each was on a machine of its own."""

    def __init__(self, simulator: Simulator, database: str, files: Path, homes: Path) -> None:
        self._simulator = simulator
        self._database = database
        self._files = files
        self._homes = homes
        self._count = 0

    def start(self, language: str) -> subprocess.Popen[str]:
        self._count += 1
        home = self._homes / f"home-{self._count}"
        home.mkdir(parents=True)
        environment = (
            clean_environment()
            | self._simulator.loopback_environment()
            | {
                "HOME": str(home),
                "PL_AUTH_CLIENT_ID": self._simulator.client_id,
                "PL_AUTH_CLIENT_SECRET": self._simulator.client_secret,
            }
        )
        if language == "python":
            command = [sys.executable, "worker.py"]
            environment["DATABASE"] = self._database
        else:
            command = ["node", "worker.mjs"]
            environment["DATABASE"] = for_node(self._database)
        return subprocess.Popen(
            command,
            cwd=self._files,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machines(simulator: Simulator, database: str, files: Path, tmp_path: Path) -> Machines:
    return Machines(simulator, database, files, tmp_path / "homes")


def saved(database: str, name: str = "reports") -> tuple[int, dict[str, Any]]:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT version, text FROM planetkey_tokens WHERE name = %s", (name,)
        ).fetchone()
    assert row is not None
    return row[0], json.loads(row[1])


def test_eight_machines_of_two_languages_make_one_request(
    machines: Machines, simulator: Simulator, database: str
) -> None:
    simulator.script("m2m.token", {"hold": "gate"})
    processes = [machines.start(language) for language in ["python", "node"] * 4]
    simulator.wait_held("gate")
    simulator.release("gate")
    outcomes = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [code for _, _, code in outcomes] == [0] * 8, outcomes
    assert len({output for output, _, _ in outcomes}) == 1
    assert simulator.count("m2m.token") == 1
    version, members = saved(database)
    assert version == 1
    assert members["access_token"] == outcomes[0][0].strip()


def test_retry_after_of_one_machine_holds_for_all(
    machines: Machines, simulator: Simulator, database: str
) -> None:
    simulator.script("m2m.token", {"status": 429, "headers": {"Retry-After": "600"}}, repeat=True)
    for language in ["python", "node"] * 6:
        output, errors = machines.start(language).communicate(timeout=60)
        assert output == ""
        assert "UNAVAILABLE" in errors or "UnavailableError" in errors, errors
    assert simulator.count("m2m.token") == 1
    _, members = saved(database)
    assert set(members) == {"_planetkey"}


def user_session(simulator: Simulator, storage: object) -> planetkey.Session:
    return planetkey.Session.from_profile(
        "planet-user",
        storage=storage,  # type: ignore[arg-type]
        deployment=str(simulator.deployment),
        allow_insecure_loopback=True,
    )


def logged_in(simulator: Simulator, storage: Any, **wanted: object) -> dict[str, Any]:
    """Saves a login in the storage, whose access token has expired."""
    tokens: dict[str, Any] = simulator.seed(**{"age": 7200, **wanted})
    assert storage.lock(10)
    storage.load()
    storage.save(json.dumps(tokens))
    storage.unlock()
    return tokens


def test_a_rotating_session_is_refreshed_once(
    simulator: Simulator, database: str, storage_class: Any
) -> None:
    from threading import Thread

    tokens = logged_in(simulator, storage_class(database, "someone"))
    sessions = [user_session(simulator, storage_class(database, "someone")) for _ in range(6)]
    got: list[str] = []
    threads = [
        Thread(target=lambda session=session: got.append(session.access_token()))
        for session in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == 6
    assert len(set(got)) == 1
    session = simulator.session_of(tokens["refresh_token"])
    assert (session["active"], session["rotations"], session["reuse"]) == (True, 1, 0)


def test_a_machine_that_dies_releases_the_lock(
    machines: Machines, simulator: Simulator, database: str
) -> None:
    simulator.script("m2m.token", {"hold": "gate"})
    first = machines.start("python")
    simulator.wait_held("gate")
    first.kill()
    first.communicate(timeout=60)
    output, errors = machines.start("node").communicate(timeout=60)
    assert output.strip(), errors
    assert saved(database)[1]["access_token"] == output.strip()
    simulator.release("gate")


def test_a_lost_lock_does_not_overwrite_newer_tokens(
    simulator: Simulator, database: str, storage_class: Any
) -> None:
    """The connection of the lock is cut between request and save."""
    slow, fast = storage_class(database, "reports"), storage_class(database, "reports")
    assert slow.lock(10)
    slow.load()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        )
    assert fast.lock(10)
    fast.load()
    fast.save('{"access_token": "newer"}')
    fast.unlock()
    with pytest.raises(RuntimeError, match="newer"):
        slow.save('{"access_token": "older"}')
    slow.unlock()
    assert saved(database) == (1, {"access_token": "newer"})


def test_a_lock_that_is_held_is_waited_for_within_the_deadline(
    database: str, storage_class: Any
) -> None:
    holder, other = storage_class(database, "reports"), storage_class(database, "reports")
    assert holder.lock(10)
    assert other.lock(0.05) is False
    assert storage_class(database, "another").lock(10)
    holder.unlock()
    assert other.lock(10)
    other.unlock()


def test_without_the_database_an_m2m_client_gets_its_token(
    machines: Machines, simulator: Simulator
) -> None:
    machines._database = "host=/nowhere user=planetkey dbname=postgres"
    for language in ["python", "node"]:
        output, errors = machines.start(language).communicate(timeout=60)
        assert output.strip(), errors
    assert simulator.count("m2m.token") == 2

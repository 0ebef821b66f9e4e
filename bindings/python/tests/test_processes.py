"""Fork, spawn and forkserver: a child continues the session, without a second token request."""

import copy
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import planetkey
import pytest
from planet_simulator import USER_PROFILE, Simulator, finish, line, tell, token_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="fork")
METHODS = ["spawn"] if sys.platform == "win32" else ["fork", "forkserver", "spawn"]
# Python 3.12 and later warn of forks beside threads, which is exactly what is tested here.
QUIET = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)"


@posix
def test_f100_a_fork_before_the_first_use(simulator: Simulator) -> None:
    script = """
import os, sys, planetkey
session = planetkey.Session.from_defaults()
reading, writing = os.pipe()
child = os.fork()
token = session.access_token()
if child == 0:
    os.write(writing, token.encode())
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.read(reading, 65536).decode() == token
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert finish(simulator.python(script)) == (0, "", "")
    # They share the token on disk.
    assert simulator.count("m2m.token") == 1


@posix
def test_f101_a_child_refreshes_the_inherited_session(simulator: Simulator) -> None:
    script = """
import os, sys, planetkey
session = planetkey.Session.from_defaults()
parents = session.access_token()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    # os._exit skips whatever the parent's interpreter would do at its end.
    try:
        assert session.access_token() == parents
        session.refresh()
        os.write(writing, session.access_token().encode())
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(5)
_, status = os.waitpid(child, 0)
childs = os.read(reading, 65536).decode()
assert childs != parents
# Noticed within a second, without a request.
while session.access_token() == parents:
    pass
assert session.access_token() == childs
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert finish(simulator.python(script)) == (0, "", "")
    assert simulator.count("m2m.token") == 2


@posix
def test_f101_a_child_without_a_disk_continues_with_the_inherited_token(
    simulator: Simulator,
) -> None:
    script = """
import os, sys, planetkey
session = planetkey.Session.from_defaults(save=False)
parents = session.access_token()
child = os.fork()
if child == 0:
    try:
        assert session.access_token() == parents
        session.refresh()
        os._exit(0 if session.access_token() != parents else 4)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(5)
_, status = os.waitpid(child, 0)
assert session.access_token() == parents
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert finish(simulator.python(script)) == (0, "", "")
    assert simulator.count("m2m.token") == 2


FORK_IN_A_REFRESH = """
import os, sys, threading, planetkey
{quiet}
session = {session}
tokens = []
thread = threading.Thread(target=lambda: tokens.append(session.access_token()))
thread.start()
sys.stdin.readline()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    try:
        os.write(writing, b"in the child\\n")
        os.write(writing, session.access_token().encode())
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(5)
os.close(writing)
with open(reading) as pipe:
    print(pipe.readline(), end="", flush=True)
    childs = pipe.read()
    print("child done", flush=True)
_, status = os.waitpid(child, 0)
thread.join()
assert tokens == [session.access_token()]
assert (childs == tokens[0]) is {shared}
sys.exit(os.waitstatus_to_exitcode(status))
"""


@posix
@pytest.mark.parametrize("kind", ["m2m", "user"])
def test_f102_a_fork_while_another_thread_refreshes(simulator: Simulator, kind: str) -> None:
    """The child waits for the parent's refresh, as any other process, and adopts its result."""
    sessions = {
        "m2m": "planetkey.Session.from_defaults()",
        "user": "planetkey.Session.from_profile('planet-user', allow_insecure_loopback=True)",
    }
    simulator.saved_login(age=4000)
    simulator.script(f"{kind}.token", {"hold": "parent"})
    process = simulator.python(
        FORK_IN_A_REFRESH.format(quiet=QUIET, session=sessions[kind], shared=True)
    )
    simulator.wait_held("parent")
    tell(process, "fork")
    assert line(process) == "in the child"
    simulator.release("parent")
    assert line(process) == "child done"
    assert finish(process) == (0, "", "")
    assert simulator.count(f"{kind}.token") == 1
    assert simulator.count("user.reuse") == 0


@posix
def test_f102_a_child_in_memory_does_not_wait_for_its_parent(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"hold": "parent"})
    session = "planetkey.Session.from_defaults(save=False)"
    process = simulator.python(FORK_IN_A_REFRESH.format(quiet=QUIET, session=session, shared=False))
    simulator.wait_held("parent")
    tell(process, "fork")
    assert line(process) == "in the child"
    # The parent's refresh is still in progress.
    assert line(process) == "child done"
    simulator.release("parent")
    assert finish(process) == (0, "", "")
    assert simulator.count("m2m.token") == 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "opened",
    ["from_defaults()", "from_profile('planet-user', allow_insecure_loopback=True)"],
    ids=["m2m", "user"],
)
def test_f105_workers_of_every_kind_share_the_session(
    simulator: Simulator, method: str, opened: str
) -> None:
    simulator.saved_login(age=4000)
    script = f"""
import multiprocessing, planetkey, workers
{QUIET}
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    session = planetkey.Session.{opened}
    with context.Pool(4) as pool:
        found = pool.map(workers.token, 16 * [session], chunksize=1)
    assert session.access_token() in dict(found).values()
    assert len(set(dict(found).values())) == 1, found
    # A session can be an argument of the process itself as well; a forked one inherits it.
    worker = context.Process(target=workers.token, args=(session,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
"""
    assert finish(simulator.python(script)) == (0, "", "")
    assert simulator.count("m2m.token") + simulator.count("user.token") == 1
    assert simulator.count("user.reuse") == 0


def test_f105_a_session_is_pickled_without_its_credentials(
    defaults: Simulator, tmp_path: Path
) -> None:
    answer = defaults.saved_login(tmp_path)
    options: dict[str, Any] = {
        "save": True,
        "storage_root": tmp_path,
        "timeout": 12.345,
        "deployment": defaults.deployment,
        "allowed_hosts": ["tiles.example.org"],
        "allow_insecure_loopback": True,
        "ca_file": defaults.ca,
        "proxy": "http://127.0.0.1:9",
    }
    for session in (
        planetkey.Session.from_defaults(**options),
        planetkey.Session.from_profile(USER_PROFILE, **options),
        planetkey.Session.from_profile(USER_PROFILE, **options).with_timeout(0.5),
    ):
        token = session.access_token()
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            pickled = pickle.dumps(session, protocol)
            secrets = (
                token,
                answer["access_token"],
                answer["refresh_token"],
                defaults.api_key,
                defaults.client_secret,
            )
            for secret in secrets:
                assert secret.encode() not in pickled
            again = pickle.loads(pickled)  # noqa: S301
            assert repr(again) == repr(session)
            assert again.status().to_dict() == session.status().to_dict()
            assert again.access_token() == token
            assert again.__reduce__() == session.__reduce__(), "and every option is the same"
            assert again.headers("https://tiles.example.org/1.png") == session.headers(
                "https://tiles.example.org/1.png"
            )


def test_f105_the_deadline_of_a_handle_crosses_too(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANETKEY_DEPLOYMENT", str(simulator.deployment))
    simulator.saved_login(age=4000)
    simulator.script("user.token", {"hold": "gate"})
    session = simulator.user(save=True).with_timeout(0.2)
    with pytest.raises(planetkey.TimeoutError):
        pickle.loads(pickle.dumps(session)).access_token()  # noqa: S301
    simulator.release("gate")


def test_f105_credentials_of_a_call_are_not_pickled(simulator: Simulator) -> None:
    config = {"client_type": "static_apikey", "api_key": simulator.api_key}
    refused = [
        simulator.key(),
        simulator.m2m(),
        simulator.m2m(profile="work").with_timeout(0.5),
        planetkey.Session.from_client_config(config),
    ]
    simulator.saved_login()
    secret = "PASSWORD"
    refused.append(simulator.user(proxy=f"http://someone:{secret}@127.0.0.1:9"))
    for session in refused:
        with pytest.raises(planetkey.NotPicklableError) as caught:
            pickle.dumps(session)
        assert isinstance(caught.value, TypeError)
        assert caught.value.code == "UNSUPPORTED"
        assert "from_profile" in caught.value.message or "HTTPS_PROXY" in caught.value.message
        for text in (simulator.api_key, simulator.client_secret, secret):
            assert text not in caught.value.message
        # The refusal itself can be handed on.
        assert str(pickle.loads(pickle.dumps(caught.value))) == caught.value.message  # noqa: S301


class PicklableStorage:
    """Saves the text in a file, so that all processes share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> str | None:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else None

    def save(self, text: str | None) -> None:
        self.path.write_text(text or "", encoding="utf-8")


def test_f105_a_storage_is_pickled_by_its_own_rules(simulator: Simulator, tmp_path: Path) -> None:
    tokens = simulator.saved_login()
    storage = PicklableStorage(tmp_path / "storage")
    storage.save(json.dumps(tokens))
    session = simulator.user(storage=storage)
    pickled = pickle.dumps(session)
    assert tokens["access_token"].encode() not in pickled
    token_file(USER_PROFILE).unlink()
    assert pickle.loads(pickled).access_token() == tokens["access_token"]  # noqa: S301
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(simulator.user(storage=type("Local", (PicklableStorage,), {})(storage.path)))


def test_a_copy_is_the_session_itself(simulator: Simulator) -> None:
    for session in (simulator.key(), simulator.m2m()):
        assert copy.copy(session) is session
        assert copy.deepcopy({"session": session})["session"] is session

"""A program ends during a refresh: without a crash, in bounded time, and without losing tokens."""

import json
import sys

import pytest
from planet_simulator import USER_PROFILE, Simulator, finish, line, tell, token_file

METHODS = ["spawn"] if sys.platform == "win32" else ["fork", "forkserver", "spawn"]

# What is registered last runs first, when the interpreter ends.
USER = """
import atexit, sys, threading, planetkey
session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True, timeout=600)
atexit.register(print, "ending", flush=True)
"""


def assert_saved_and_alive(simulator: Simulator, refresh_token: str) -> None:
    """The rotated refresh token is on disk, and the server knows it."""
    saved = json.loads(token_file(USER_PROFILE).read_text(encoding="utf-8"))
    family = simulator.session_of(refresh_token)
    assert saved["refresh_token"] == family["refresh_token"] != refresh_token
    assert (family["active"], family["rotations"], family["reuse"]) == (True, 1, 0)


def test_f107_the_exit_waits_for_a_refresh(simulator: Simulator) -> None:
    answer = simulator.saved_login(age=4000)
    simulator.script("user.token", {"hold": "gate"})
    script = (
        USER
        + "threading.Thread(target=session.access_token, daemon=True).start(); sys.stdin.readline()"
    )
    process = simulator.python(script)
    simulator.wait_held("gate")
    tell(process, "end")
    assert line(process) == "ending"
    simulator.release("gate")
    assert finish(process) == (0, "", "")
    assert_saved_and_alive(simulator, answer["refresh_token"])


def test_f107_the_exit_waits_for_a_background_refresh(simulator: Simulator) -> None:
    """Only the end waits for it: between the two deadlines, all callers use the valid token."""
    answer = simulator.saved_login(age=3200)
    simulator.script("user.token", {"hold": "gate"})
    process = simulator.python(USER + "session.access_token(); sys.stdin.readline()")
    simulator.wait_held("gate")
    tell(process, "end")
    assert line(process) == "ending"
    simulator.release("gate")
    assert finish(process) == (0, "", "")
    assert_saved_and_alive(simulator, answer["refresh_token"])


def test_f107_the_exit_waits_for_a_limited_time(simulator: Simulator) -> None:
    simulator.saved_login(age=4000)
    before = token_file(USER_PROFILE).read_text(encoding="utf-8")
    simulator.script("user.token", {"hold": "never"})
    script = (
        USER
        + "threading.Thread(target=session.access_token, daemon=True).start(); sys.stdin.readline()"
    )
    process = simulator.python(script)
    simulator.wait_held("never")
    tell(process, "end")
    code, _, errors = finish(process)
    assert (code, errors) == (0, "")
    assert token_file(USER_PROFILE).read_text(encoding="utf-8") == before


def test_f107_the_exit_does_not_wait_for_an_m2m_client(simulator: Simulator) -> None:
    """It can be asked for again at any time."""
    simulator.script("m2m.token", {"hold": "never"})
    script = """
import planetkey, sys, threading
session = planetkey.Session.from_defaults(timeout=600)
threading.Thread(target=session.access_token, daemon=True).start()
sys.stdin.readline()
print(planetkey.settle(), flush=True)
"""
    process = simulator.python(script)
    simulator.wait_held("never")
    tell(process, "end")
    assert finish(process) == (0, "True\n", "")


def test_f107_settle_before_an_exit_without_atexit(simulator: Simulator) -> None:
    answer = simulator.saved_login(age=4000)
    simulator.script("user.token", {"hold": "gate"})
    script = (
        USER
        + """
import os
threading.Thread(target=session.access_token, daemon=True).start()
sys.stdin.readline()
print(planetkey.settle(timeout=0.001), flush=True)
print(planetkey.settle(timeout=60), flush=True)
os._exit(0)
"""
    )
    process = simulator.python(script)
    simulator.wait_held("gate")
    tell(process, "settle")
    assert line(process) == "False"
    simulator.release("gate")
    assert finish(process) == (0, "True\n", "")
    assert_saved_and_alive(simulator, answer["refresh_token"])


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_f107_ctrl_c_ends_the_wait_at_exit(simulator: Simulator) -> None:
    simulator.saved_login(age=4000)
    simulator.script("user.token", {"hold": "never"})
    script = (
        USER
        + """
import signal
signal.signal(signal.SIGINT, lambda *_: (print("interrupted", flush=True), sys.exit(3)))
sys.unraisablehook = lambda it: print(type(it.exc_value).__name__, flush=True)
threading.Thread(target=session.access_token, daemon=True).start()
sys.stdin.readline()
"""
    )
    process = simulator.python(script)
    simulator.wait_held("never")
    tell(process, "end")
    assert line(process) == "ending"
    process.send_signal(2)
    assert line(process) == "interrupted"
    code, _, errors = finish(process)
    assert "Fatal" not in errors
    assert code in {0, 3}


@pytest.mark.parametrize("method", METHODS)
def test_f107_a_worker_waits_too(simulator: Simulator, method: str) -> None:
    """It leaves by os._exit, which skips what atexit knows."""
    answer = simulator.saved_login(age=4000)
    simulator.script("user.token", {"hold": "gate"})
    script = f"""
import multiprocessing, sys, warnings, planetkey, workers
warnings.simplefilter("ignore", DeprecationWarning)
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    here, there = context.Pipe()
    worker = context.Process(target=workers.refresh_until_the_end, args=(there,))
    worker.start()
    sys.stdin.readline()
    here.send("end")
    print(here.recv(), flush=True)
    worker.join()
    assert worker.exitcode == 0
"""
    process = simulator.python(script)
    simulator.wait_held("gate")
    tell(process, "end")
    assert line(process) == "ending"
    simulator.release("gate")
    assert finish(process) == (0, "", "")
    assert_saved_and_alive(simulator, answer["refresh_token"])


# Threads inside the interpreter when it ends. Python before 3.14 ends them at any point.
INSIDE = """
import atexit, logging, os, sys, threading, time, planetkey
entered = threading.Event()

def stay():
    entered.set()
    while {condition}:
        time.sleep(0.0001)
"""
LOGGING = """
def look(record):
    if threading.current_thread() is not threading.main_thread():
        stay()
    return True

# Not a handler: logging itself waits for all handlers at the end.
logging.getLogger("planetkey").addFilter(look)
session = planetkey.Session.from_defaults(timeout=60)
threading.Thread(target=session.access_token, daemon=True).start()
entered.wait()
"""
STORAGE = """
class Storage:
    def load(self):
        stay()
    def save(self, text):
        pass

session = planetkey.Session.from_m2m(
    "client", "secret", storage=Storage(), allow_insecure_loopback=True)
threading.Thread(target=session.access_token, daemon=True).start()
entered.wait()
"""


@pytest.mark.parametrize("inside", [LOGGING, STORAGE], ids=["log filter", "storage"])
def test_f107_a_thread_that_never_leaves_python_is_no_crash(
    simulator: Simulator, inside: str
) -> None:
    simulator.settings(date_offset_s=-86_400)
    process = simulator.python(INSIDE.format(condition=True) + inside)
    code, output, errors = finish(process)
    assert (code, output, errors) == (0, "", "")


@pytest.mark.parametrize("inside", [LOGGING, STORAGE], ids=["log filter", "storage"])
def test_f107_the_exit_waits_for_a_thread_in_python(simulator: Simulator, inside: str) -> None:
    simulator.settings(date_offset_s=-86_400)
    # Left as soon as the end has begun.
    begin = "ending = threading.Event(); "
    script = (
        INSIDE.format(condition="not ending.is_set()")
        + begin
        + inside
        + "atexit.register(ending.set)"
    )
    assert finish(simulator.python(script)) == (0, "", "")


def test_f107_an_exit_at_any_time_is_no_crash(simulator: Simulator) -> None:
    """The refresh fails and is logged while the interpreter ends, at another moment each time."""
    simulator.script("m2m.token", {"status": 400, "json": {"error": "invalid_client"}}, repeat=True)
    script = """
import sys, threading, planetkey
session = planetkey.Session.from_defaults(timeout=0.3)
try:
    session.access_token()
except planetkey.Error as error:
    print(error.code, flush=True)
"""
    for _ in range(10):
        assert finish(simulator.python(script)) == (0, "MISCONFIGURED\n", "")

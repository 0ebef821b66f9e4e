"""While a call waits: other threads run, and signals are handled."""

import signal
import sys

import planetkey
import pytest
from planet_simulator import Simulator, Together, finish, line, tell

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")

WAIT = """
import os, signal, sys, planetkey
{prepare}
session = planetkey.Session.from_defaults(timeout=600)
try:
    {call}
except {caught} as error:
    print("ended by", type(error).__name__, error)
    sys.exit(3)
print("done", flush=True)
"""

CALLS = [
    "session.access_token()",
    "session.refresh()",
    "session.headers(os.environ['PLANETKEY_SIMULATOR_SENTINEL_HUB_API'] + '/api')",
    "session.authorize(os.environ['PLANETKEY_SIMULATOR_SENTINEL_HUB_API'] + '/api')",
]


@pytest.mark.parametrize("call", ["access_token", "refresh", "headers", "authorize"])
def test_f106_other_threads_run_while_one_waits(simulator: Simulator, call: str) -> None:
    session = simulator.m2m()
    url = [simulator.sentinel_hub_api + "/api"] if call in {"headers", "authorize"} else []
    simulator.script("m2m.token", {"hold": "gate"})
    waiting = Together(1, lambda: getattr(session, call)(*url))
    # This thread talks to the simulator while the other one waits, so that one released the GIL.
    simulator.wait_held("gate")
    others = Together(4, lambda: sum(range(10_000)))
    assert [outcome.value for outcome in others.join()] == [49_995_000] * 4
    assert waiting.finished == 0
    simulator.release("gate")
    assert waiting.join()[0].error is None


@posix
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_cancels_the_call(simulator: Simulator, call: str) -> None:
    simulator.script("m2m.token", {"hold": "never"})
    prepare = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = simulator.python(WAIT.format(prepare=prepare, call=call, caught="KeyboardInterrupt"))
    simulator.wait_held("never")
    process.send_signal(signal.SIGINT)
    # There is no response and the deadline is ten minutes away: only the signal can end this.
    code, output, errors = finish(process)
    assert (code, errors) == (3, "")
    assert output.startswith("ended by KeyboardInterrupt")


@posix
def test_the_exception_of_a_signal_handler_is_raised(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"hold": "never"})
    prepare = """
def handler(number, frame):
    raise LookupError("from the handler")
signal.signal(signal.SIGUSR1, handler)
"""
    process = simulator.python(WAIT.format(prepare=prepare, call=CALLS[0], caught="LookupError"))
    simulator.wait_held("never")
    process.send_signal(signal.SIGUSR1)
    assert finish(process) == (3, "ended by LookupError from the handler\n", "")


@posix
def test_a_signal_handler_that_returns_does_not_cancel_the_call(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"hold": "gate"})
    prepare = "signal.signal(signal.SIGUSR1, lambda number, frame: print('handled', flush=True))"
    process = simulator.python(
        WAIT.format(prepare=prepare, call=CALLS[0], caught="planetkey.Error")
    )
    simulator.wait_held("gate")
    process.send_signal(signal.SIGUSR1)
    # Handled while the call still waits, for the gate is closed.
    assert line(process) == "handled"
    simulator.release("gate")
    assert finish(process) == (0, "done\n", "")
    assert simulator.count("m2m.token") == 1


@posix
def test_ctrl_c_cancels_a_logout_that_waits(simulator: Simulator) -> None:
    simulator.saved_login(age=4000)
    simulator.script("user.token", {"hold": "gate"})
    script = """
import signal, sys, threading, planetkey
signal.signal(signal.SIGINT, signal.default_int_handler)
session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True, timeout=600)
refresh = threading.Thread(target=session.access_token)
refresh.start()
sys.stdin.readline()
try:
    print("logging out", flush=True)
    session.logout()
    sys.exit("not interrupted")
except KeyboardInterrupt:
    print("interrupted", flush=True)
refresh.join()
print(session.is_initialized(), session.logout().removed)
"""
    process = simulator.python(script)
    simulator.wait_held("gate")
    tell(process, "log out")
    assert line(process) == "logging out"
    process.send_signal(signal.SIGINT)
    assert line(process) == "interrupted"
    simulator.release("gate")
    assert finish(process) == (0, "True True\n", "")


@posix
def test_a_session_works_after_an_interrupt(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"hold": "gate"})
    script = """
import signal, sys, planetkey
signal.signal(signal.SIGINT, signal.default_int_handler)
session = planetkey.Session.from_defaults()
try:
    session.access_token()
    sys.exit("not interrupted")
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
print(len(session.access_token()) > 0)
"""
    process = simulator.python(script)
    simulator.wait_held("gate")
    process.send_signal(signal.SIGINT)
    assert line(process) == "interrupted"
    simulator.release("gate")
    tell(process, "go on")
    assert finish(process) == (0, "True\n", "")


def test_f107_a_waiting_thread_does_not_delay_the_exit(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"hold": "never"})
    script = """
import sys, threading, planetkey
session = planetkey.Session.from_defaults(timeout=600)
threading.Thread(target=session.access_token, daemon=True).start()
sys.stdin.readline()
"""
    process = simulator.python(script)
    simulator.wait_held("never")
    tell(process, "end")
    code, _, errors = finish(process)
    assert (code, errors) == (0, "")


def test_interrupts_do_not_change_other_errors(simulator: Simulator) -> None:
    simulator.script("m2m.token", {"fault": "stall"}, repeat=True)
    with pytest.raises(planetkey.TimeoutError):
        simulator.m2m(timeout=0.2).refresh()

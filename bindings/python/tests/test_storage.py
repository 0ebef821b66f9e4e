"""An application's own storage instead of files: its calls, and its failures."""

import gc
import json
import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, current_thread, main_thread
from typing import Any

import planetkey
import pytest
from planet_simulator import USER_PROFILE, Simulator, Together, sdk_text


class InMemory:
    """Saves the text in memory and records the calls. There are never two calls at once."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.calls: list[str] = []
        self._busy = Lock()

    def _call(self, name: str) -> None:
        assert self._busy.acquire(blocking=False), "two calls at once"
        self.calls.append(name)
        self._busy.release()

    def load(self) -> str | None:
        self._call("load")
        return self.text

    def save(self, text: str | None) -> None:
        self._call("save")
        self.text = text


class Locked(InMemory):
    """The same with a lock, as several processes need one."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text)
        self.timeouts: list[float] = []

    def lock(self, timeout: float) -> bool:
        self._call("lock")
        self.timeouts.append(timeout)
        return True

    def unlock(self) -> None:
        self._call("unlock")


class Broken(Locked):
    """One of its methods does something else."""

    def __init__(self, method: str, instead: Callable[[], object], text: str | None = None) -> None:
        super().__init__(text)
        setattr(self, method, lambda *_: instead())


def raising(error: BaseException) -> Callable[[], object]:
    def instead() -> object:
        raise error

    return instead


def logged_in(simulator: Simulator, **wanted: object) -> str:
    """The text of a storage after a login."""
    return sdk_text(simulator.saved_login(Path.home() / "login", **wanted))


def test_a_token_of_an_m2m_client_is_saved_and_loaded(simulator: Simulator) -> None:
    vault = InMemory()
    session = simulator.m2m(storage=vault)
    assert vault.calls == [], "opening a session calls nothing"
    token = session.access_token()
    assert vault.calls == ["load", "save"]
    assert vault.text is not None
    members = json.loads(vault.text)
    assert members["access_token"] == token
    assert vault.text == sdk_text(members)
    assert simulator.m2m(storage=vault).access_token() == token
    assert session.status().file is None
    assert list(Path.home().iterdir()) == []
    assert simulator.count("m2m.token") == 1


def test_a_users_refresh_token_is_rotated_in_it(simulator: Simulator) -> None:
    vault = Locked(logged_in(simulator, age=4000))
    before = json.loads(vault.text or "")
    token = simulator.user(storage=vault, timeout=20).access_token()
    assert vault.calls == ["lock", "load", "save", "unlock"]
    assert all(0 < timeout <= 20 for timeout in vault.timeouts)
    members = json.loads(vault.text or "")
    assert members["access_token"] == token
    assert members["refresh_token"] != before["refresh_token"]
    assert simulator.session_of(before["refresh_token"])["rotations"] == 1
    assert simulator.user(storage=vault).access_token() == token
    assert simulator.count("user.token") == 1


def test_its_token_is_loaded_once_and_then_cached(simulator: Simulator) -> None:
    vault = InMemory(logged_in(simulator))
    session = simulator.user(storage=vault)
    assert session.headers(simulator.planet_api) == session.headers(simulator.planet_api)
    assert vault.calls == ["load"]
    assert session.is_initialized()
    assert session.status().sources[0].token_cached
    assert vault.calls == ["load"]
    assert simulator.count("user.token") == 0


def test_logout_empties_it(simulator: Simulator) -> None:
    vault = Locked(logged_in(simulator))
    session = simulator.user(storage=vault)
    session.access_token()
    vault.calls.clear()
    assert session.logout().removed is True
    assert vault.calls[0] == "lock"
    assert vault.calls[-2:] == ["save", "unlock"]
    assert vault.text is None
    assert session.logout().removed is False
    with pytest.raises(planetkey.LoginRequiredError) as caught:
        session.access_token()
    assert caught.value.reason == "logged_out"


def test_a_refresh_in_progress_does_not_undo_a_logout(simulator: Simulator) -> None:
    """Without a lock of the storage too, and its methods are never called by two at once."""
    vault = InMemory(logged_in(simulator, age=4000))
    session = simulator.user(storage=vault)
    simulator.script("user.token", {"hold": "gate"})
    refresh = Together(1, session.access_token)
    simulator.wait_held("gate")
    logout = Together(1, session.logout)
    assert logout.finished == 0
    simulator.release("gate")
    assert refresh.join()[0].error is None
    (out,) = logout.join()
    assert out.value is not None
    assert out.value.removed is True
    assert vault.calls[:2] == ["load", "save"]
    assert vault.text is None
    assert not session.is_initialized()


def test_an_empty_storage_has_no_session(simulator: Simulator) -> None:
    for empty in (None, ""):
        with pytest.raises(planetkey.LoginRequiredError) as caught:
            simulator.user(storage=InMemory(empty)).access_token()
        assert (caught.value.reason, caught.value.profile) == ("never_logged_in", USER_PROFILE)


def test_a_storage_with_damaged_text(simulator: Simulator) -> None:
    vault = InMemory('{"access_token": "SECRET')
    with pytest.raises(planetkey.LoginRequiredError) as caught:
        simulator.user(storage=vault).access_token()
    assert caught.value.reason == "corrupt"
    assert "SECRET" not in caught.value.message
    assert vault.text == '{"access_token": "SECRET', "it is the application's"


def test_threads_share_one_round(simulator: Simulator) -> None:
    vault = Locked(logged_in(simulator, age=4000))
    session = simulator.user(storage=vault)
    simulator.script("user.token", {"hold": "gate"})
    callers = Together(32, session.access_token)
    simulator.wait_held("gate")
    simulator.release("gate")
    assert {outcome.value for outcome in callers.join()} == {session.access_token()}
    assert vault.calls == ["lock", "load", "save", "unlock"]
    assert simulator.count("user.token") == 1


def test_an_unavailable_lock(simulator: Simulator) -> None:
    session = simulator.m2m(storage=Broken("lock", lambda: False))
    with pytest.raises(planetkey.TimeoutError):
        session.access_token()
    assert simulator.count("m2m.token") == 0


class UnspeakableError(Exception):
    """What a storage raises. Its text contains the tokens."""


@pytest.mark.parametrize("method", ["load", "lock"])
def test_an_exception_is_named_but_its_text_is_not_shown(
    simulator: Simulator, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Broken(method, raising(UnspeakableError("SECRET")), logged_in(simulator, age=4000))
    session = simulator.user(storage=storage)
    with caplog.at_level(logging.DEBUG), pytest.raises(planetkey.StorageError) as caught:
        session.access_token()
    error = caught.value
    assert "UnspeakableError" in error.message
    assert method in error.message
    assert error.profile == USER_PROFILE
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "SECRET" not in repr(vars(error)) + str(error) + caplog.text
    # The log says where it was raised.
    assert "UnspeakableError, in " in caplog.text
    assert "instead" in caplog.text
    assert Path(__file__).name in caplog.text
    assert simulator.count("user.token") == 0


def test_an_m2m_client_works_if_load_fails(simulator: Simulator) -> None:
    session = simulator.m2m(storage=Broken("load", raising(OSError("offline"))))
    assert session.access_token() == session.access_token()
    assert simulator.count("m2m.token") == 1


@pytest.mark.parametrize("make", [Simulator.m2m, Simulator.user])
def test_a_save_that_fails_leaves_a_working_session(
    simulator: Simulator, make: Callable[..., planetkey.Session], caplog: pytest.LogCaptureFixture
) -> None:
    vault = Broken("save", raising(UnspeakableError("SECRET")), logged_in(simulator, age=4000))
    if make is Simulator.m2m:
        vault.text = None
    session = make(simulator, storage=vault)
    with caplog.at_level(logging.DEBUG):
        token = session.access_token()
        assert session.access_token() == token
    (note,) = session.status().notes
    assert "this process only" in note
    assert "UnspeakableError" in note
    assert "SECRET" not in note + caplog.text
    assert token not in note + caplog.text
    assert simulator.count("m2m.token") + simulator.count("user.token") == 1


def test_an_unlock_that_fails_is_only_logged(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    vault = Broken("unlock", raising(UnspeakableError("SECRET")))
    with caplog.at_level(logging.WARNING):
        assert simulator.m2m(storage=vault).access_token()
    assert "unlock raised UnspeakableError" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    ("method", "given", "named"),
    [
        ("load", b"bytes", "bytes"),
        ("load", 1, "int"),
        ("load", {}, "dict"),
        ("load", "SECRET\ud800", "surrogate"),
        ("lock", None, "NoneType"),
        ("lock", 1, "int"),
    ],
)
def test_a_result_of_a_wrong_type(
    simulator: Simulator, method: str, given: object, named: str
) -> None:
    session = simulator.user(storage=Broken(method, lambda: given, logged_in(simulator)))
    with pytest.raises(planetkey.StorageError) as caught:
        session.access_token()
    assert named in caught.value.message
    assert method in caught.value.message
    assert "SECRET" not in caught.value.message


class OnlyLoad:
    def load(self) -> None: ...


class WithoutUnlock(InMemory):
    def lock(self, timeout: float) -> bool:
        return timeout > 0


class NotCallable(InMemory):
    unlock = lock = True


@pytest.mark.parametrize(
    "wrong", [object(), "text", {}, OnlyLoad(), WithoutUnlock()], ids=lambda it: type(it).__name__
)
def test_objects_that_are_no_storage(simulator: Simulator, wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="TokenStorage"):
        simulator.m2m(storage=wrong)


def test_a_lock_that_cannot_be_called_is_none(simulator: Simulator) -> None:
    assert simulator.m2m(storage=NotCallable()).access_token()


def test_an_attribute_that_fails_comes_out(simulator: Simulator) -> None:
    class Failing(InMemory):
        @property
        def lock(self) -> None:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        simulator.m2m(storage=Failing())


def test_default_sessions_have_a_storage_for_their_m2m_client(defaults: Simulator) -> None:
    kept = Locked()
    session = planetkey.Session.from_defaults(storage=kept, allow_insecure_loopback=True)
    token = session.access_token()
    assert json.loads(kept.text or "")["access_token"] == token
    other = planetkey.Session.from_defaults(storage=kept, allow_insecure_loopback=True)
    assert other.access_token() == token
    assert defaults.count("m2m.token") == 1
    assert list(Path.home().iterdir()) == []


def test_f099_a_storage_may_call_the_session(simulator: Simulator) -> None:
    """Its calls return or raise. They never wait for the refresh that they are part of."""
    vault = Locked(logged_in(simulator, age=4000))
    seen: list[object] = []

    def call_back() -> None:
        assert session.is_initialized() in {True, False}
        seen.append(session.status().file)
        seen.append(session.invalidate("some other token"))
        calls = (
            session.access_token,
            session.refresh,
            session.logout,
            lambda: session.headers(simulator.planet_api),
        )
        for call in calls:
            try:
                call()
                seen.append("answered")
            except planetkey.Error as error:
                seen.append(error.code)

    load, save, unlock = vault.load, vault.save, vault.unlock

    def calling_load() -> str | None:
        call_back()
        return load()

    def calling_save(text: str | None) -> None:
        call_back()
        save(text)

    def calling_unlock() -> None:
        call_back()
        unlock()

    vault.load, vault.save, vault.unlock = calling_load, calling_save, calling_unlock  # type: ignore[method-assign]
    session = simulator.user(storage=vault, timeout=60)
    assert session.access_token()
    # Before there is a token, no call gets one. After that, refresh still cannot wait for itself.
    assert seen[:12] == 2 * [
        None,
        False,
        "UNAVAILABLE",
        "UNAVAILABLE",
        "UNAVAILABLE",
        "UNAVAILABLE",
    ]
    assert seen[12:] == [None, False, "answered", "UNAVAILABLE", "UNAVAILABLE", "answered"]
    # A logout calls it on this thread.
    seen.clear()
    assert session.logout().removed is True
    assert seen[-6:] == [None, False, "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]
    assert vault.text is None
    assert simulator.count("user.token") == 1


def test_f099_a_log_handler_may_call_the_session(simulator: Simulator) -> None:
    seen: list[str] = []

    class Handler(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            try:
                seen.append(session.access_token())
            except planetkey.Error as error:
                seen.append(error.code)

    simulator.settings(date_offset_s=-86_400)
    session = simulator.m2m(timeout=60)
    logger, handler = logging.getLogger("planetkey"), Handler()
    logger.addHandler(handler)
    try:
        token = session.access_token()
    finally:
        logger.removeHandler(handler)
    assert seen
    assert set(seen) <= {"UNAVAILABLE", token}


def test_f106_other_threads_run_while_a_storage_takes_its_time(simulator: Simulator) -> None:
    """It is called on another thread than the caller's, which has released the GIL."""
    entered, leave = Event(), Event()
    threads: list[object] = []

    class Slow(InMemory):
        def load(self) -> str | None:
            threads.append(current_thread())
            entered.set()
            assert leave.wait(30)
            return super().load()

    session = simulator.m2m(storage=Slow())
    waiting = Together(1, session.access_token)
    assert entered.wait(30)
    assert threads[0] is not main_thread()
    assert Together(4, lambda: sum(range(10_000))).join()[0].value == 49_995_000
    assert waiting.finished == 0
    leave.set()
    assert waiting.join()[0].error is None


def test_an_exception_of_a_signal_handler_is_raised(simulator: Simulator) -> None:
    """A logout calls the storage on the caller's thread, so Ctrl-C can interrupt its methods."""
    session = simulator.user(
        storage=Broken("save", raising(KeyboardInterrupt()), logged_in(simulator))
    )
    session.access_token()
    with pytest.raises(KeyboardInterrupt):
        session.logout()
    with pytest.raises(KeyboardInterrupt):
        session.logout()
    # Nothing is left over for a later call.
    simulator.m2m().refresh()


def test_it_is_released_with_its_session(simulator: Simulator) -> None:
    vault = InMemory()
    gone = weakref.ref(vault)
    session = simulator.m2m(storage=vault)
    session.access_token()
    del vault
    gc.collect()
    assert gone() is not None
    del session
    # The thread of the refresh may hold it for a moment longer.
    while gone() is not None:
        gc.collect()


def test_protocols_tell_type_checkers_and_readers() -> None:
    storage: planetkey.TokenStorage = InMemory()
    locking: planetkey.LockingTokenStorage = Locked()
    for protocol, member in (
        (planetkey.TokenStorage, storage),
        (planetkey.LockingTokenStorage, locking),
    ):
        for name in (name for name in vars(protocol) if not name.startswith("_")):
            assert getattr(protocol, name).__doc__, name
            assert callable(getattr(member, name))

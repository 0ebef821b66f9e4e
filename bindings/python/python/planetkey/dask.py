"""One session for all workers of a Dask cluster. The scheduler has it, workers get access tokens.

    import distributed
    import planetkey
    import planetkey.dask

    def read(url):
        return requests.get(url, auth=planetkey.dask.session()).content

    client = distributed.Client(...)
    planetkey.dask.install(client, planetkey.Session.from_defaults())
    parts = client.gather(client.map(read, urls))

Each worker process gets a session by ``Session.from_token_provider``, which asks the scheduler for
access tokens: now, after a restart, and in workers that join later. Whatever the number of workers,
the scheduler sends one token request for each expiry. No client secret, refresh token or API key
goes to a worker. Access tokens cross the connections of Dask, which are encrypted only with
``distributed.Security``.

It needs the package ``distributed``: ``pip install 'planetkey[dask]'``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import pickle
import threading
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict, final

try:
    import distributed.utils
    from distributed import Client, Scheduler, SchedulerPlugin, Worker, WorkerPlugin, get_worker
    from distributed.core import rpc
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"dask", "distributed"}:
        raise
    raise ModuleNotFoundError(
        "planetkey.dask needs the package distributed; run: pip install 'planetkey[dask]'",
        name=error.name,
    ) from error

import planetkey
import planetkey.gdal
from planetkey.errors import Error, MisconfiguredError, UnavailableError
from planetkey.provider import TokenRequest

__all__ = ["Installed", "install", "install_async", "session"]

# How long a worker tries to connect to the scheduler.
_CONNECT_SECONDS = 5.0
# The name of both plugins, which makes a second installation replace the first one.
_NAME = "planetkey"
# What a worker may import to have a GDAL.
_GDAL_MODULES = ("rasterio", "osgeo.gdal", "pyogrio", "fiona")

# Sessions that a plugin is about to be made of. A scheduler in this process takes the object.
_offered: dict[str, planetkey.Session] = {}


def install(
    client: Client, session: planetkey.Session, *, gdal: bool | Mapping[str, Any] = False
) -> Installed:
    """Install a session in the scheduler and in all present and future workers of a cluster.

    A scheduler in this process (``LocalCluster``) uses ``session`` itself. Any other scheduler
    opens it again from its own environment and files, so it must be one of
    ``Session.from_defaults()`` or ``Session.from_profile()``. A second call replaces the session.
    Uses the network of Dask; sends no token request.

    Args:
        client: The client of the cluster.
        session: The session. It needs an M2M client or a user; workers get no API key.
        gdal: Whether to call ``planetkey.gdal.install`` in each worker process. A mapping gives
            its options.

    Raises:
        NotPicklableError: The scheduler is in another process, and the session holds credentials
            that were given in the call.
        UnsupportedError: The session has API keys only; or ``gdal``, and a worker has no GDAL.
        MisconfiguredError: The scheduler's environment or files are wrong.
    """
    loop: Any = client.loop
    installed: Installed = distributed.utils.sync(loop, install_async, client, session, gdal=gdal)
    return installed


async def install_async(
    client: Client, session: planetkey.Session, *, gdal: bool | Mapping[str, Any] = False
) -> Installed:
    """Do what ``install`` does, for a client with ``asynchronous=True``."""
    if not isinstance(session, planetkey.Session):
        raise TypeError(f"session must be a planetkey.Session, not {type(session).__name__}")
    options: dict[str, Any] | None = dict(gdal) if isinstance(gdal, Mapping) else {}
    if gdal is False:
        options = None
    identity = uuid.uuid4().hex
    _offered[identity] = session
    try:
        await client.register_plugin(_OnScheduler(identity, session), name=_NAME)
    finally:
        del _offered[identity]
    installed = Installed(client, identity)
    try:
        policy: _Policy = _read(await _scheduler(client).planetkey_policy())
        await client.register_plugin(_OnWorker(identity, policy, options), name=_NAME)
    except BaseException:
        await installed.uninstall_async()
        raise
    return installed


def session() -> planetkey.Session:
    """Return the session of this worker process.

    Call it in a task. Threads that a task started may call it too, and in a worker process also
    what is called without a task. All calls in a process return the same session. It serves the
    hosts that the scheduler's session has an access token for, and no others.

    In a task that is a coroutine use the methods whose names end in ``_async``, which do not block
    the worker's event loop. If the scheduler runs in the same process, the others would block it
    too, and what they wait for.

    Raises:
        MisconfiguredError: No session is installed here.
    """
    with _lock:
        try:
            plugin = get_worker().plugins.get(_NAME)
            held = plugin.held if isinstance(plugin, _OnWorker) else None
        except ValueError:
            held = next(iter(_holders.values())) if len(_holders) == 1 else None
    if held is None:
        raise MisconfiguredError(
            "this is no worker of a Dask cluster that a session is installed in; "
            "call planetkey.dask.install(client, session) first"
        )
    return held.session


@final
class Installed:
    """A session that is installed in a Dask cluster, until ``uninstall()``.

    As a context manager, for ``with`` and ``async with``, until the end of the block.
    """

    def __init__(self, client: Client, identity: str) -> None:
        self._client = client
        self._identity = identity

    def uninstall(self) -> None:
        """Remove the session from the scheduler and all workers.

        Sessions that tasks still have use their last access token until it expires, then they
        raise ``UnavailableError``. Does nothing if it was uninstalled or replaced.
        """
        loop: Any = self._client.loop
        distributed.utils.sync(loop, self.uninstall_async)

    async def uninstall_async(self) -> None:
        """Do what ``uninstall`` does, for a client with ``asynchronous=True``."""
        client: Any = self._client
        if await _scheduler(client).planetkey_remove(identity=self._identity):
            await client.unregister_worker_plugin(_NAME)

    def __enter__(self) -> Installed:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.uninstall()

    async def __aenter__(self) -> Installed:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.uninstall_async()

    def __repr__(self) -> str:
        return f"<planetkey.dask.Installed in {_scheduler(self._client).address}>"


def _scheduler(client: Client) -> Any:  # noqa: ANN401
    """Return the connection whose methods are the handlers of the scheduler."""
    return client.scheduler


class _Policy(TypedDict):
    """Where the workers may send the tokens. It holds no secret."""

    deployment: dict[str, Any]
    allowed_hosts: list[str]
    allow_insecure_loopback: bool


class _OnScheduler(SchedulerPlugin):
    """Owns the session. It is pickled as what the session was opened from, without a secret."""

    name = _NAME

    def __init__(self, identity: str, session: planetkey.Session | Error) -> None:
        self.identity = identity
        self._session = session

    def __reduce__(self) -> tuple[Any, ...]:
        opened: bytes
        try:
            opened = pickle.dumps(self._session)
        except planetkey.NotPicklableError as error:
            opened = pickle.dumps(error)
        return _reopened, (self.identity, opened)

    async def start(self, scheduler: Scheduler) -> None:
        """Add the handlers that clients and workers call. They stay, and look up the plugin."""
        # Dask would warn of a second plugin with this name.
        scheduler.plugins.pop(_NAME, None)

        def plugin() -> _OnScheduler:
            found = scheduler.plugins.get(_NAME)
            if not isinstance(found, _OnScheduler):
                raise UnavailableError(
                    "no session is installed in the Dask scheduler any longer; "
                    "call planetkey.dask.install(client, session) again"
                )
            return found

        async def planetkey_policy() -> dict[str, Any]:
            return await _answer(lambda: plugin().policy())

        async def planetkey_token(rejected_token: str | None = None) -> dict[str, Any]:
            return await _answer(lambda: plugin().token(rejected_token))

        async def planetkey_remove(identity: str) -> bool:
            found = scheduler.plugins.get(_NAME)
            if not isinstance(found, _OnScheduler) or found.identity != identity:
                return False
            del scheduler.plugins[_NAME]
            # Whether the workers have a plugin to remove.
            return _NAME in scheduler.worker_plugins

        for handler in (planetkey_policy, planetkey_token, planetkey_remove):
            scheduler.handlers[handler.__name__] = handler

    async def policy(self) -> _Policy:
        """Return the hosts that the session's access token may go to."""
        # It reads files.
        text = await asyncio.to_thread(self.session._delegation_policy)
        policy: _Policy = json.loads(text)
        return policy

    async def token(self, rejected_token: str | None) -> dict[str, Any]:
        """Return the access token and the seconds until it expires.

        Nothing here blocks the scheduler's event loop.
        """
        token, expires_in = await self.session._delegated_token_async(rejected_token)
        return {"access_token": token, "expires_in": expires_in}

    @property
    def session(self) -> planetkey.Session:
        """The session. Raises why it could not be opened here."""
        if isinstance(self._session, Error):
            raise self._session
        return self._session


def _reopened(identity: str, opened: bytes) -> _OnScheduler:
    """Return the plugin in the process of the scheduler."""
    offered = _offered.get(identity)
    if offered is not None:
        return _OnScheduler(identity, offered)
    try:
        # What `__reduce__` wrote: a session's recipe or an error.
        return _OnScheduler(identity, pickle.loads(opened))  # noqa: S301
    except Error as error:
        return _OnScheduler(identity, error)


class _OnWorker(WorkerPlugin):
    """Gives the process of a worker its session. Pickled, it holds no secret and no token."""

    name = _NAME

    def __init__(self, identity: str, policy: _Policy, gdal: dict[str, Any] | None) -> None:
        self._identity = identity
        self._policy = policy
        self._gdal = gdal
        self.held: _Held | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _OnWorker, (self._identity, self._policy, self._gdal)

    def setup(self, worker: Worker) -> None:
        """Open the session, or take that of another worker in this process."""
        with _lock:
            held = _holders.get(self._identity)
            if held is None:
                address = worker.scheduler.address
                # What a second installation replaces: GDAL has one session for a host.
                for replaced in [each for each in _holders.values() if each.address == address]:
                    replaced.end()
                held = _Held(self._identity, address, worker.connection_args, self._policy)
            held.workers += 1
            self.held = held
            _holders[self._identity] = held
            if self._gdal is not None:
                held.install_gdal(self._gdal)

    def teardown(self, worker: Worker) -> None:
        """End the use of the session in this process after its last worker."""
        with _lock:
            held, self.held = self.held, None
            if held is None:
                return
            held.workers -= 1
            if held.workers == 0:
                held.end()


class _Held:
    """The session of a process, which asks the scheduler for tokens."""

    def __init__(
        self, identity: str, address: str, connection_args: dict[str, Any], policy: _Policy
    ) -> None:
        self.address = address
        # How many workers of this process use it.
        self.workers = 0
        self._identity = identity
        self._connection_args = connection_args
        self._gdal: planetkey.gdal.Gdal | None = None
        self.session = planetkey.Session.from_token_provider(self._provide, **policy)

    def install_gdal(self, options: dict[str, Any]) -> None:
        if self._gdal is None:
            for module in _GDAL_MODULES:
                with contextlib.suppress(ImportError):
                    importlib.import_module(module)
            self._gdal = planetkey.gdal.install(self.session, **options)

    def end(self) -> None:
        _holders.pop(self._identity, None)
        if self._gdal is not None:
            self._gdal.uninstall()
            self._gdal = None

    async def _provide(self, request: TokenRequest) -> dict[str, Any]:
        """Ask the scheduler for a token.

        It runs on a thread and event loop of planetkey and opens a connection of its own. That of
        the worker belongs to the worker's event loop, which may wait for this token, for example in
        ``Client.run``; and a forked child has no such loop.
        """
        # Dask retries a refused connection until then.
        connect_timeout = min(_CONNECT_SECONDS, request.timeout / 2)
        try:
            async with rpc(
                self.address, timeout=connect_timeout, connection_args=self._connection_args
            ) as scheduler:
                answer = await scheduler.planetkey_token(rejected_token=request.rejected_token)
        # Dask raises many classes.
        except Exception as error:
            raise UnavailableError(
                f"the Dask scheduler at {self.address} cannot be asked for a token: "
                f"{type(error).__name__}",
                retryable=True,
            ) from error
        token: dict[str, Any] = _read(answer)
        return token


# The sessions of this process, by the identity of the installation. In a process with several
# workers they share one.
_holders: dict[str, _Held] = {}
_lock = threading.RLock()


async def _answer(ask: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a response. An error is a part of it: Dask would log it with its traceback."""
    try:
        return {"result": await ask()}
    except Error as error:
        return {"error": pickle.dumps(error)}


def _read(answer: Any) -> Any:  # noqa: ANN401
    """Return what a handler of the scheduler returned. Raises its error."""
    if not isinstance(answer, dict):
        raise UnavailableError("the Dask scheduler has no session of planetkey", retryable=True)
    if "error" in answer:
        # The scheduler wrote it, whose pickles a worker reads anyway.
        raise pickle.loads(answer["error"])  # noqa: S301
    return answer["result"]

"""The end of a process waits for renewals that are under way.

A refresh token that was rotated while nobody was left to keep the new one ends its session.
"""

from __future__ import annotations

import atexit
import os
import sys

from planetkey._native import end, settle


def _worker_begins(_: object) -> None:
    """Has a worker of ``multiprocessing`` settle at its end: it leaves by ``os._exit``, before ``atexit``."""
    util = sys.modules["multiprocessing.util"]
    # Behind everything else that such an end does.
    util.Finalize(None, settle, exitpriority=-100)


def _announce() -> None:
    # Only where `multiprocessing` is in use: importing it takes several times as long as everything here.
    util = sys.modules.get("multiprocessing.util")
    # Another thread may just be importing it.
    if util is not None and hasattr(util, "register_after_fork"):
        # A worker that is about to begin forgets finalizers, and calls this.
        util.register_after_fork(_worker_begins, _worker_begins)
        process = sys.modules["multiprocessing.process"]
        if process.parent_process() is not None:
            _worker_begins(None)


def register() -> None:
    """Called once, at import."""
    atexit.register(end)
    _announce()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_announce)

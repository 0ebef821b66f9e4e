"""The end of a process waits for refreshes in progress.

A session ends if its refresh token is rotated and the process ends before it saved the new one.
"""

from __future__ import annotations

import atexit
import os
import sys

from planetkey._native import end, settle


def _worker_starts(_: object) -> None:
    """Settle at the end of a worker of ``multiprocessing``, which calls ``os._exit``."""
    util = sys.modules["multiprocessing.util"]
    # After everything else that such an end does.
    util.Finalize(None, settle, exitpriority=-100)


def _announce() -> None:
    # Only if `multiprocessing` is in use. Importing it takes several times as long as all this.
    util = sys.modules.get("multiprocessing.util")
    # Another thread may be importing it now.
    if util is not None and hasattr(util, "register_after_fork"):
        # A worker that starts clears its finalizers, and calls this.
        util.register_after_fork(_worker_starts, _worker_starts)
        process = sys.modules["multiprocessing.process"]
        if process.parent_process() is not None:
            _worker_starts(None)


def register() -> None:
    """Register everything, once, at import."""
    atexit.register(end)
    _announce()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_announce)

"""What worker processes of `multiprocessing` run; they import it by name."""

import atexit
import os
from multiprocessing import util
from multiprocessing.connection import Connection
from threading import Thread

import planetkey


def token(session: planetkey.Session) -> tuple[int, str]:
    """The process, and the token that it gets."""
    return os.getpid(), session.access_token()


def refresh_until_the_end(pipe: Connection) -> None:
    """Ends while a thread refreshes a user session, and says when the end has started."""
    session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True)
    Thread(target=session.access_token, daemon=True).start()
    pipe.recv()
    # Which of the two a worker runs, and in which order, depends on its kind and on the version of
    # Python.
    ending = iter(["ending"])

    def announce() -> None:
        for word in ending:
            pipe.send(word)

    atexit.register(announce)
    util.Finalize(None, announce, exitpriority=100)

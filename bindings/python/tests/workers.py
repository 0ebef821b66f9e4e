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


def renew_to_the_end(pipe: Connection) -> None:
    """Ends while a thread renews a user's session; says when the end has begun."""
    session = planetkey.Session.from_profile("planet-user", allow_insecure_loopback=True)
    Thread(target=session.access_token, daemon=True).start()
    pipe.recv()
    # Which of the two a worker runs first, or at all, depends on its kind and on the version of Python.
    ending = iter(["ending"])

    def announce() -> None:
        for word in ending:
            pipe.send(word)

    atexit.register(announce)
    util.Finalize(None, announce, exitpriority=100)

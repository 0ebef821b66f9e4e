"""What ``storage=`` takes: an object that keeps a session's tokens in place of the files below the home directory."""

from __future__ import annotations

from typing import Protocol

__all__ = ["LockingTokenStorage", "TokenStorage"]


class TokenStorage(Protocol):
    """Keeps the text of ``token.json`` for one session: in a database, a key ring, a secret manager.

    Its methods are called from threads of planetkey and from those that call the session, one call at a time for each
    session, and may take as long as the session's deadline. One that raises makes the call a :class:`planetkey.StorageError`
    that names the exception's class but not its text, which may hold a token; tokens that cannot be kept are used from
    memory. A method may ask the session for its status; a token that is just being renewed it cannot ask for.
    """

    def load(self) -> str | None:
        """Gives the text that was saved last, or None."""
        ...

    def save(self, text: str | None, /) -> None:
        """Keeps this text in place of what was there; None after a logout: nothing is to be kept any more."""
        ...


class LockingTokenStorage(TokenStorage, Protocol):
    """A storage that several processes share, with a lock so that one of them renews while the others wait.

    A :class:`TokenStorage` that has the methods ``lock`` and ``unlock`` is one.
    """

    def lock(self, timeout: float, /) -> bool:
        """Waits for the lock, at most this many seconds; tells whether it was to be had."""
        ...

    def unlock(self) -> None:
        """Ends what ``lock`` began. It is called on the thread that called ``lock``."""
        ...

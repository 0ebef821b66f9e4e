"""What ``storage=`` takes: an object that saves a session's tokens instead of files."""

from __future__ import annotations

from typing import Protocol

__all__ = ["LockingTokenStorage", "TokenStorage"]


class TokenStorage(Protocol):
    """Saves the text of ``token.json`` of one session: in a database, a key ring, a secret manager.

    planetkey calls its methods on its own threads and on those that call the session, one call at
    a time for each session. They may take as long as the session's timeout. If one raises an
    exception, the call of the session raises a :class:`planetkey.StorageError`. It names the class
    of the exception but not its text, which may contain a token. Tokens that cannot be saved are
    used from memory. A method may call ``Session.status()``, but it cannot get a token that is
    being refreshed.
    """

    def load(self) -> str | None:
        """Return the text that was saved last, or None."""
        ...

    def save(self, text: str | None, /) -> None:
        """Save this text instead of the last one. None, after a logout, deletes the last one."""
        ...


class LockingTokenStorage(TokenStorage, Protocol):
    """A storage that several processes share. With its lock, one of them refreshes at a time.

    A :class:`TokenStorage` that has the methods ``lock`` and ``unlock`` is one.
    """

    def lock(self, timeout: float, /) -> bool:
        """Wait for the lock, at most this many seconds. Return whether it was acquired."""
        ...

    def unlock(self) -> None:
        """Release the lock. It is called on the thread that called ``lock``."""
        ...

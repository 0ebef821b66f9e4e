"""A connection between planetkey and a store that a test can hold and cut at each step."""

import socket
import threading
from collections.abc import Callable

PATIENCE_S = 30

# A text that only this script of planetkey contains.
STEPS = {
    "acquire": b"return state('held')",
    "announce": b"'intent', ARGV[6]",
    "save": b"local rule, expected, known",
    "note": b"local marks, seen",
    "release": b"return {'released', stamp}",
    "replica": b"WAIT",
}


class Wire:
    """Forwards connections on loopback to a store.

    At the next command of a step it calls a function, before the command or after its reply has
    come from the store. If the function returns False, the connection is cut there.
    """

    def __init__(self, store_port: int) -> None:
        self._store_port = store_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._at: tuple[bytes, str, Callable[[], bool]] | None = None
        self.commands = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the store through this wire."""
        return f"redis://127.0.0.1:{self.port}"

    def at(self, step: str, when: str, action: Callable[[], bool]) -> None:
        """Calls the function once, `before` the step's next command or `after` its reply."""
        self._at = (STEPS[step], when, action)

    def close(self) -> None:
        """Accepts no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client:
            try:
                store = socket.create_connection(("127.0.0.1", self._store_port))
            except OSError:
                return
            with store:
                self._exchange(client, store)

    def _exchange(self, client: socket.socket, store: socket.socket) -> None:
        """One command at a time: planetkey waits for each reply."""
        try:
            while command := self._command(client):
                self.commands += 1
                found = self._at
                is_here = found is not None and found[0] in command
                if found is not None and is_here:
                    self._at = None
                    if found[1] == "before" and not found[2]():
                        return
                store.sendall(command)
                reply = store.recv(1 << 20)
                if found is not None and is_here and found[1] == "after" and not found[2]():
                    return
                if not reply:
                    return
                client.sendall(reply)
        except OSError:
            return

    @staticmethod
    def _command(client: socket.socket) -> bytes:
        """What the client sends until it waits for the reply."""
        command = client.recv(1 << 20)
        while command and not _is_whole(command):
            more = client.recv(1 << 20)
            if not more:
                return b""
            command += more
        return command


def _is_whole(text: bytes) -> bool:
    """Whether this is one or more commands in full."""
    while text:
        head, separator, text = text.partition(b"\r\n")
        if not separator or not head.startswith(b"*"):
            return False
        for _ in range(int(head[1:])):
            length, separator, text = text.partition(b"\r\n")
            if not separator:
                return False
            size = int(length[1:])
            if len(text) < size + 2:
                return False
            text = text[size + 2 :]
    return True

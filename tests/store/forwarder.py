"""An address of a store that stays the same while its server changes."""

import contextlib
import socket
import threading


class Forwarder:
    """Forwards connections on loopback to a server, and can move to another one."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the store behind it."""
        return f"redis://127.0.0.1:{self.port}"

    def move(self, port: int) -> None:
        """Cuts all connections; new ones go to another port."""
        with self._lock:
            self._target = port
        self.cut()

    def cut(self) -> None:
        """Cuts all connections, wherever they are in their exchange."""
        with self._lock:
            for end in self._open:
                _shut(end)

    def close(self) -> None:
        """Accepts no more connections, and cuts all."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client:
            target = self._target
            try:
                server = socket.create_connection(("127.0.0.1", target))
            except OSError:
                return
            with server:
                ends = {client, server}
                with self._lock:
                    if target != self._target:
                        return
                    self._open |= ends
                try:
                    back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                    back.start()
                    _copy(client, server)
                    back.join()
                finally:
                    with self._lock:
                        self._open -= ends


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copies until one of them ends, then ends both."""
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    _shut(source)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

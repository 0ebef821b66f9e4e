"""Runs a program in a terminal, as users do."""

import os
import pty
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 60
# A text that no program writes.
LAST = "\x01the last\x01"


class Terminal:
    """A program in a terminal. Its standard output is a pipe, everything else is on the screen."""

    def __init__(self, program: Sequence[str | Path]) -> None:
        self._ours, self._theirs = pty.openpty()
        self._screen = ""
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *program],
            stdin=self._theirs,
            stderr=self._theirs,
            stdout=subprocess.PIPE,
            text=True,
        )
        # A daemon thread, so that a hanging program does not block the end of the tests.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 4096)
            except OSError:
                # The terminal is closed.
                return
            with self._changed:
                self._screen += piece.decode(errors="replace").replace("\r\n", "\n")
                self._changed.notify_all()

    def find(self, pattern: str) -> str:
        """Waits until the screen matches a pattern. Returns the first group."""
        with self._changed:
            found = self._changed.wait_for(lambda: re.search(pattern, self._screen), PATIENCE_S)
            assert found, f"{pattern} never came: {self._screen}"
            return found.group(1) if found.re.groups else found.group()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> tuple[int, str, str]:
        """Waits for the end. Returns exit code, standard output and screen."""
        output, _ = self._process.communicate(timeout=PATIENCE_S)
        # Everything that the program wrote comes before this. A closed terminal may lose pending
        # output.
        os.write(self._theirs, LAST.encode())
        self.find(LAST)
        return self._process.returncode, output, self._screen.removesuffix(LAST)

    def stop(self) -> None:
        """Ends the program and closes the terminal."""
        self._process.kill()
        self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        os.close(self._theirs)
        self._reader.join(PATIENCE_S)
        os.close(self._ours)

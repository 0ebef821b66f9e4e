"""A program in a terminal of its own, as people run it."""

import os
import pty
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 60
# What no program writes.
LAST = "\x01the last\x01"


class Terminal:
    """A program that runs in a terminal; its output is a pipe, and all that people see is on the screen."""

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
        # A program that nobody ends must not keep the tests from ending.
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
        """Waits until the screen shows this; gives its first group."""
        with self._changed:
            found = self._changed.wait_for(lambda: re.search(pattern, self._screen), PATIENCE_S)
            assert found, f"{pattern} never came: {self._screen}"
            return found.group(1) if found.re.groups else found.group()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> tuple[int, str, str]:
        """Exit code, output, and all that the screen showed."""
        output, _ = self._process.communicate(timeout=PATIENCE_S)
        # What the program has written comes before this; a terminal that is closed may lose what is on its way.
        os.write(self._theirs, LAST.encode())
        self.find(LAST)
        return self._process.returncode, output, self._screen.removesuffix(LAST)

    def stop(self) -> None:
        """Leaves nothing behind, whatever the program was about."""
        self._process.kill()
        self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        os.close(self._theirs)
        self._reader.join(PATIENCE_S)
        os.close(self._ours)

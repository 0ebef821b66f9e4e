"""A program in a terminal of its own, as people run it."""

import os
import pty
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path


class Terminal:
    """A program that runs in a terminal; its output is a pipe, and all that people see is on the screen."""

    def __init__(self, program: Sequence[str | Path]) -> None:
        ours, theirs = pty.openpty()
        self._ours = ours
        self._screen = ""
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *program], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
        )
        os.close(theirs)
        # A program that nobody ends must not keep the tests from ending.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 4096)
            except OSError:
                # The program has ended, and its terminal with it.
                piece = b""
            with self._changed:
                self._screen += piece.decode(errors="replace").replace("\r\n", "\n")
                self._ended = not piece
                self._changed.notify_all()
            if not piece:
                return

    _ended = False

    def find(self, pattern: str) -> str:
        """Waits until the screen shows this; gives its first group."""
        with self._changed:
            while (found := re.search(pattern, self._screen)) is None:
                assert not self._ended, f"{pattern} never came: {self._screen}"
                self._changed.wait()
            return found.group(1) if found.re.groups else found.group()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def end(self) -> tuple[int, str, str]:
        """Exit code, output, and all that the screen showed."""
        output, _ = self._process.communicate(timeout=60)
        self._reader.join(60)
        return self._process.returncode, output, self._screen

    def stop(self) -> None:
        """Leaves nothing behind, whatever the program was about."""
        self._process.kill()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._reader.join(60)
        os.close(self._ours)

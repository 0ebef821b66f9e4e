"""Programs in several languages that open one session and request a header at once."""

import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from simulator import REPOSITORY, command

WORK = REPOSITORY / "build" / "processes"
HERE = Path(__file__).resolve().parent

# The command opens a session and requests a header in one step, so a shell waits before it.
COMMAND = 'echo ready >&2; read -r _; echo asking >&2; exec "$0" header "$1"'

# Much longer than any step takes, so that a program that died or hangs fails the test.
PATIENCE_S = 60


def participant(
    language: str, url: str, *, threads: int = 1, each: bool = False, look: bool = False
) -> list[str | Path]:
    """A program that requests a header, in threads with a shared session or their own."""
    how = [url, str(threads), "each" if each else "one", "look" if look else "blind"]
    match language:
        case "c":
            return [WORK / "participant", *how]
        case "python":
            # Python imports only the installed package.
            return [sys.executable, "-I", HERE / "participant.py", *how]
        case "node":
            return ["node", WORK / "participant.mjs", *how]
        case "command":
            return ["sh", "-c", COMMAND, command(), url]
    raise ValueError(language)


class Crowd:
    """Running programs.

    They start their request when their input ends. The lines of their shared error stream are
    counted.
    """

    def __init__(
        self, command_lines: Sequence[Sequence[str | Path]], environment: Mapping[str, str]
    ) -> None:
        waiting, self._starting_signal = os.pipe()
        self._said, saying = os.pipe()
        self._log = b""
        try:
            self._programs = [
                subprocess.Popen(
                    line,
                    env=environment,
                    stdin=waiting,
                    stdout=subprocess.PIPE,
                    stderr=saying,
                    text=True,
                )
                for line in command_lines
            ]
        finally:
            os.close(waiting)
            os.close(saying)

    def __enter__(self) -> "Crowd":  # noqa: PYI034 - Self is not there before 3.11
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._start()
        for program in self._programs:
            if program.poll() is None:
                program.kill()
                program.wait()
            assert program.stdout is not None
            program.stdout.close()
        os.close(self._said)

    def _start(self) -> None:
        if self._starting_signal >= 0:
            os.close(self._starting_signal)
            self._starting_signal = -1

    def wait_until_all_say(self, word: str) -> None:
        """Waits until every program has printed the word."""
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._said, selectors.EVENT_READ)
            while Counter(self._log.split(b"\n"))[word.encode()] < len(self._programs):
                if selector.select(1):
                    self._log += os.read(self._said, 65536)
                elif time.monotonic() > deadline or any(
                    program.poll() for program in self._programs
                ):
                    raise AssertionError(
                        f"not all programs said {word}; what they said: {self._log.decode()}"
                    )

    def ask(self) -> None:
        """Starts all requests. Returns when every program has started its request."""
        self._start()
        self.wait_until_all_say("asking")

    def answers(self) -> list[tuple[int, list[str]]]:
        """Waits for all programs. Returns the exit code and the output lines of each."""
        answers = []
        for program in self._programs:
            output, _ = program.communicate(timeout=PATIENCE_S)
            answers.append((program.returncode, output.splitlines()))
        return answers

    def errors(self) -> str:
        """The error stream of all programs after they have ended."""
        while more := os.read(self._said, 65536):
            self._log += more
        return self._log.decode()

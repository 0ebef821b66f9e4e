"""Planet's own command. One process imports it, which takes a second, and forks for each call.

Each line of the input is one call. The output is its exit code.
"""

import json
import os
import sys
from typing import Any

from planet.cli.cli import main


def carry_out(call: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(call["environment"])
    os.chdir(call["directory"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for stream, file in (
        (0, os.open(os.devnull, os.O_RDONLY)),
        (1, os.open(call["output"], flags)),
        (2, os.open(call["errors"], flags)),
    ):
        os.dup2(file, stream)
    sys.argv = ["planet", *call["arguments"]]
    sys.exit(main())


while line := sys.stdin.buffer.raw.readline():
    if (child := os.fork()) == 0:
        carry_out(json.loads(line))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(1, f"{code}\n".encode())

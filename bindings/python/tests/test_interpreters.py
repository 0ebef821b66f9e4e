"""A second interpreter in one process."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        print("no interpreters")
        sys.exit()

IN_ANOTHER = '''
try:
    import planetkey
except ImportError as error:
    print("ImportError:", error, flush=True)
else:
    print("imported", flush=True)
'''

def try_another():
    interpreter = interpreters.create()
    interpreters.run_string(interpreter, IN_ANOTHER)
    interpreters.destroy(interpreter)

import planetkey
try_another()
try_another()
# The first interpreter goes on.
try:
    planetkey.Session.from_profile("unknown", storage_root="/nowhere/root")
except planetkey.MisconfiguredError:
    print("Misconfigured", flush=True)
"""


def test_i9_10_a_second_interpreter_cannot_import_it() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    if run.stdout == "no interpreters\n":
        pytest.skip("this Python has no interpreters beside the first")
    assert (run.returncode, run.stderr) == (0, "")
    *refusals, last = run.stdout.splitlines()
    assert len(refusals) == 2, run.stdout
    for refusal in refusals:
        assert refusal.startswith("ImportError: planetkey works in one interpreter of a process"), (
            refusal
        )
    assert last == "Misconfigured"

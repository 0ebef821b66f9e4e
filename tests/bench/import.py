"""Milliseconds and memory of one import, in a process of its own: python import.py MODULE."""

import importlib
import sys
import time

start = time.perf_counter()
if sys.argv[1] != "nothing":
    importlib.import_module(sys.argv[1])
milliseconds = (time.perf_counter() - start) * 1e3
with open("/proc/self/status", encoding="ascii") as status:
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
print(f"{milliseconds}\t{kilobytes / 1024}")

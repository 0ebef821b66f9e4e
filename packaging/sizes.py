#!/usr/bin/env python3
"""Prints the sizes of what packaging/build built, with the ten largest crates: sizes.py [TARGET...]

Says which files are larger than they should be.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

from common import DIST, built, named_targets

MILLION = 1_000_000
# In bytes. The simulator and the modules have no limit of their own; a wheel has one below.
LIMITS = {"libplanetkey_ffi.so": 4.5 * MILLION, "planetkey": 4 * MILLION}
WHEEL = 3 * MILLION
# The first part of a path in a symbol that Rust made: of a function, or of the type of a method.
CRATE = re.compile(r"^[<&*\[(]*(?:mut |dyn |const )*([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::")
# Functions in C have no crate in their names.
AWS_LC = re.compile(r"^aws_lc_\d+_\d+_\d+")


def crates(path: Path) -> Counter[str]:
    """The bytes of functions and data by crate, from the symbols of a file."""
    command = ["nm", "--print-size", "--demangle=rust", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    sizes: Counter[str] = Counter()
    seen = set()
    for line in lines:
        parts = line.split(maxsplit=3)
        if len(parts) != 4 or len(parts[2]) != 1 or parts[0] in seen:
            continue
        seen.add(parts[0])
        crate = CRATE.match(parts[3])
        name = "aws-lc" if AWS_LC.match(parts[3]) else crate[1] if crate else "others"
        sizes[name] += int(parts[1], 16)
    return sizes


def main() -> None:
    large = []
    for target in named_targets():
        print(f"\n{target.name}")
        for file in target.artifacts:
            path = built(target) / file
            size = path.stat().st_size
            largest = crates(path.with_name(file + ".symbols")).most_common(10)
            names = ", ".join(f"{crate} {count / 1000:.0f}" for crate, count in largest)
            # nm finds no symbols in files for Windows.
            listed = f"  {names} (kB)" if names else ""
            print(f"  {file:24} {size / MILLION:6.2f} MB{listed}")
            if size > LIMITS.get(file, size):
                large.append(f"{target.name}/{file}: {size} bytes, limit {LIMITS[file]:.0f}")
    print(f"\n{'package':64} {'MB':>6}")
    for path in sorted(DIST.glob("*")):
        size = path.stat().st_size
        print(f"{path.name:64} {size / MILLION:6.2f}")
        if path.suffix == ".whl" and size > WHEEL:
            large.append(f"{path.name}: {size} bytes, limit {WHEEL}")
    if large:
        print("\nlarger than it should be: " + "; ".join(large))


if __name__ == "__main__":
    main()

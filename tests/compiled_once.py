#!/usr/bin/env python3
"""Fails if `make test` compiles a crate more than once.

Cargo compiles a crate once for each set of features that it, or a crate below it, is built with.
The packages that are built together decide these sets, so `workspace-hack` requests all features
everywhere. This script compares Cargo's plans and compiles nothing.

Build scripts and macros, and the crates that they use, are compiled without optimization, and again
for the library if it uses them too. The core is compiled a second time with shuttle.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the Makefile and its scripts build, and what a developer of one package builds.
COMMANDS = (
    "build -p planetkey-ffi -p planetkey-cli -p planetkey-simulator",
    "build -p planetkey-python",
    "build -p planetkey-node",
    "test",
    "test -p planetkey",
    "test -p planetkey-ffi",
    "test -p planetkey-cli",
    "test -p planetkey --features shuttle --lib",
    "bench -p planetkey --bench header",
)


def plan(command: str) -> dict[str, set[str]]:
    """The crates that a command compiles, each with what distinguishes its builds."""
    arguments = ["cargo", *command.split(), *(() if "bench" in command else ("--release",))]
    arguments += ["--locked", "-Zunstable-options", "--unit-graph"]
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1"}
    graph = json.loads(subprocess.check_output(arguments, cwd=ROOT, env=environment, text=True))
    units = graph["units"]
    identities: dict[int, str] = {}

    def identity(number: int) -> str:
        if number not in identities:
            unit = units[number]
            below = sorted(identity(dependency["index"]) for dependency in unit["dependencies"])
            profile = {name: value for name, value in unit["profile"].items() if name != "name"}
            own = [unit["pkg_id"], unit["target"], profile, unit["platform"], unit["mode"], unit["features"], below]
            identities[number] = f"{','.join(unit['features'])} {hash(json.dumps(own)):x}"
        return identities[number]

    crates = defaultdict(set)
    seen, coming = set(), [(root, "library") for root in graph["roots"]]
    while coming:
        number, part = coming.pop()
        if (number, part) in seen:
            continue
        seen.add((number, part))
        unit = units[number]
        if {"custom-build", "proc-macro"} & set(unit["target"]["kind"]):
            part = "build scripts"
        coming += [(dependency["index"], part) for dependency in unit["dependencies"]]
        if unit["mode"] in ("build", "test"):
            name = unit["pkg_id"].rsplit("/", 1)[-1]
            explorer = ", with shuttle" if "shuttle" in unit["features"] else ""
            kind = f"{unit['target']['name']}, {'/'.join(unit['target']['kind'])}, {unit['mode']} for {part}{explorer}"
            crates[f"{name} ({kind})"].add(identity(number))
    return crates


def main() -> int:
    variants: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for command in COMMANDS:
        for crate, found in plan(command).items():
            for variant in found:
                variants[crate][variant].append(command)
    several = {crate: found for crate, found in variants.items() if len(found) > 1}
    for crate, found in sorted(several.items()):
        print(f"{crate} is compiled {len(found)} times:", file=sys.stderr)
        for variant, commands in sorted(found.items()):
            print(f"    [{variant.split()[0] if ' ' in variant.strip() else ''}] by {commands}", file=sys.stderr)
    if several:
        print("Add the features that only some of these commands have to workspace-hack/Cargo.toml.", file=sys.stderr)
        return 1
    print(f"{len(variants)} crates, each compiled once")
    return 0


if __name__ == "__main__":
    sys.exit(main())

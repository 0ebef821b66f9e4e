#!/usr/bin/env python3
"""The version of all packages: version.py [NEW]

Cargo.toml has it. Without an argument this prints it, and fails if a copy differs: in the C header,
the npm package, Cargo.lock and the printed output in the manual. With an argument it sets all.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from common import ROOT, version

NUMBER = r"\d+\.\d+\.\d+"
# Each file with the patterns of its copies; the group is the version.
COPIES = {
    "Cargo.toml": [rf'(?<=\[workspace\.package\]\nversion = ")({NUMBER})'],
    "Cargo.lock": [
        rf'(?<=\nname = "{name}"\nversion = ")({NUMBER})'
        for name in ("planetkey", "workspace-hack")
    ]
    + [rf'\nname = "planetkey-\w+"\nversion = "({NUMBER})'],
    "bindings/node/package.json": [rf'(?<=\n  "version": ")({NUMBER})'],
    "bindings/node/package-lock.json": [rf'"name": "planetkey",\n\s+"version": "({NUMBER})'],
    "include/planetkey.h": [rf'(?<=#define PLANETKEY_VERSION ")({NUMBER})'],
    "docs/how-to/install.md": [
        *(rf"(?<=\nplanetkey )({NUMBER})", rf"(?<=\n)({NUMBER})(?=\n```)"),
        *(rf"(?<=planetkey-)({NUMBER})", rf"(?<=-gnu-)({NUMBER})"),
    ],
    "docs/how-to/link-from-c.md": [rf"(?<=\n)({NUMBER})(?=\n```)"],
}
PARTS = ("MAJOR", "MINOR", "PATCH")


def main() -> None:
    new = sys.argv[1] if len(sys.argv) > 1 else None
    if new is not None and not re.fullmatch(NUMBER, new):
        raise SystemExit(f"{new} is not a version")
    differing = []
    for name, patterns in COPIES.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        for pattern in patterns:
            found = list(re.finditer(pattern, text))
            if not found:
                raise SystemExit(f"{name} has no version where packaging/version.py looks for it")
            differing += [f"{name}: {match[1]}" for match in found if match[1] != version()]
            if new is not None:
                for match in reversed(found):
                    text = text[: match.start(1)] + new + text[match.end(1) :]
        if new is not None:
            path.write_text(text, encoding="utf-8")
    if new is None and differing:
        raise SystemExit(f"Cargo.toml has {version()}, but {', '.join(differing)}")
    header(new)
    print(new or version())


def header(new: str | None) -> None:
    """The numbers in the header, one by one."""
    path = Path(ROOT / "include" / "planetkey.h")
    text = path.read_text(encoding="utf-8")
    for part, number in zip(PARTS, (new or version()).split("."), strict=True):
        pattern = rf"(?m)^(#define PLANETKEY_VERSION_{part}) (\d+)$"
        found = re.search(pattern, text)
        if found is None or (new is None and found[2] != number):
            raise SystemExit(f"include/planetkey.h has another PLANETKEY_VERSION_{part}")
        text = re.sub(pattern, rf"\1 {number}", text)
    if new is not None:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

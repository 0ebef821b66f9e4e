#!/usr/bin/env python3
"""Packs the Python wheels from what packaging/build built: wheel.py [TARGET...]

maturin writes the metadata. It could also build, but would compile for its own flags once more.
"""

from __future__ import annotations

import base64
import hashlib
import shutil

from common import (
    DIST,
    LICENCES,
    PYTHON,
    ROOT,
    THIRD_PARTY,
    TOOLS,
    WORK,
    Target,
    built,
    named_targets,
    run,
    version,
    write_zip,
)

LIBRARY = "libplanetkey_python.so"


def metadata() -> str:
    """METADATA, with the licences of others."""
    directory = WORK / "metadata"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    run(
        TOOLS / "bin" / "maturin",
        *("pep517", "write-dist-info", "--metadata-directory", directory),
        *("--interpreter", TOOLS / "bin" / "python", "--locked"),
        cwd=PYTHON,
    )
    (found,) = directory.glob("*.dist-info/METADATA")
    text = found.read_text(encoding="utf-8")
    last = f"License-File: {LICENCES[-1]}\n"
    if last not in text:
        raise SystemExit(f"METADATA does not name {LICENCES[-1]}")
    return text.replace(last, f"{last}License-File: {THIRD_PARTY}\n")


def tags(target: Target) -> list[str]:
    return [f"cp310-abi3-{platform}" for platform in target.wheel.split(".")]


def contents(target: Target, described: str) -> dict[str, bytes]:
    """The files of a wheel, without its RECORD."""
    info = f"planetkey-{version()}.dist-info"
    directory = built(target)
    files = {
        f"planetkey/{path.name}": path.read_bytes()
        for path in sorted((PYTHON / "python" / "planetkey").iterdir())
        if path.suffix in (".py", ".pyi", ".typed") or path.name == "py.typed"
    }
    files["planetkey/_native.abi3.so"] = (directory / LIBRARY).read_bytes()
    wheel = ["Wheel-Version: 1.0", "Generator: planetkey", "Root-Is-Purelib: false"]
    wheel += [f"Tag: {tag}" for tag in tags(target)]
    files[f"{info}/METADATA"] = described.encode()
    files[f"{info}/WHEEL"] = ("\n".join(wheel) + "\n").encode()
    for name in LICENCES:
        files[f"{info}/licenses/{name}"] = (ROOT / name).read_bytes()
    files[f"{info}/licenses/{THIRD_PARTY}"] = (WORK / THIRD_PARTY).read_bytes()
    files[f"{info}/sboms/planetkey.cdx.json"] = (directory / f"{LIBRARY}.cdx.json").read_bytes()
    return files


def pack(target: Target, described: str) -> None:
    files = contents(target, described)
    record = f"planetkey-{version()}.dist-info/RECORD"
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    files[record] = ("".join(lines) + f"{record},,\n").encode()
    write_zip(DIST / f"planetkey-{version()}-cp310-abi3-{target.wheel}.whl", files)


def main() -> None:
    described = metadata()
    for target in named_targets():
        if target.wheel:
            pack(target, described)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Packs the Python wheels from what packaging/build built: wheel.py [TARGET...]

maturin writes the metadata. It could also build, but would compile for its own flags once more.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import time
import zipfile

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
    epoch,
    named_targets,
    run,
    version,
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
    DIST.mkdir(parents=True, exist_ok=True)
    path = DIST / f"planetkey-{version()}-cp310-abi3-{target.wheel}.whl"
    moment = time.gmtime(max(epoch(), 315532800))[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            archive.writestr(entry, data)


def main() -> None:
    described = metadata()
    for target in named_targets():
        pack(target, described)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Packs the npm packages: npm.py [TARGET...]

`planetkey` is JavaScript. Its optional dependencies `@planetkey/linux-...` hold the addon for one
platform each, and npm installs the one that fits. No package has an install script.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from common import (
    DIST,
    LICENCES,
    NODE,
    ROOT,
    TARGETS,
    THIRD_PARTY,
    WORK,
    Target,
    built,
    named_targets,
    run,
    version,
)

ADDON = "planetkey.node"


def pack(directory: Path) -> None:
    # npm packs the modes of the files, which depend on the user's umask.
    for path in directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    DIST.mkdir(parents=True, exist_ok=True)
    run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", DIST, cwd=directory)


def write_manifest(directory: Path, manifest: dict) -> None:
    text = json.dumps(manifest, indent=2) + "\n"
    (directory / "package.json").write_text(text, encoding="utf-8")


def fresh(name: str) -> Path:
    directory = WORK / "npm" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for licence in LICENCES:
        shutil.copyfile(ROOT / licence, directory / licence)
    return directory


def main_package() -> None:
    """The package that programs depend on."""
    directory = fresh("planetkey")
    manifest = json.loads((NODE / "package.json").read_text(encoding="utf-8"))
    if manifest["version"] != version():
        raise SystemExit("bindings/node/package.json has another version than Cargo.toml")
    for name in ("scripts", "devDependencies"):
        del manifest[name]
    manifest["files"].remove(ADDON)
    manifest["optionalDependencies"] = {
        f"@planetkey/{target.npm}": version() for target in TARGETS.values() if target.npm
    }
    for name in [*manifest["files"], "README.md"]:
        source = NODE / name
        if source.is_dir():
            shutil.copytree(source, directory / name)
        elif name not in LICENCES:
            shutil.copyfile(source, directory / name)
    write_manifest(directory, manifest)
    pack(directory)


def platform_package(target: Target) -> None:
    """The addon for one platform."""
    directory = fresh(target.npm)
    addon = directory / ADDON
    shutil.copyfile(built(target) / "libplanetkey_node.so", addon)
    shutil.copyfile(built(target) / "libplanetkey_node.so.cdx.json", directory / "sbom.cdx.json")
    shutil.copyfile(WORK / THIRD_PARTY, directory / THIRD_PARTY)
    text = f"# @planetkey/{target.npm}\n\nThe addon of the package `planetkey` for {target.name}.\n"
    (directory / "README.md").write_text(text, encoding="utf-8")
    manifest = {
        "name": f"@planetkey/{target.npm}",
        "version": version(),
        "description": f"The addon of the package planetkey for {target.name}",
        "license": "Apache-2.0 OR MIT",
        "engines": {"node": ">=20"},
        "os": ["linux"],
        "cpu": [target.npm_cpu],
        "libc": [target.npm_libc],
        "main": ADDON,
        "files": [ADDON, "sbom.cdx.json", *LICENCES, THIRD_PARTY],
    }
    write_manifest(directory, manifest)
    pack(directory)


def main() -> None:
    main_package()
    for target in named_targets():
        if target.npm:
            platform_package(target)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes a CycloneDX bill of materials beside each built file: sbom.py [TARGET...]

It lists the crates that are compiled into the file, with the checksums of Cargo.lock.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import uuid
from datetime import UTC, datetime

from common import ROOT, Target, built, dependencies, epoch, named_targets, version


def checksums() -> dict[tuple[str, str], str]:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    return {
        (package["name"], package["version"]): package["checksum"]
        for package in lock["package"]
        if "checksum" in package
    }


def component(package: dict, digest: str | None) -> dict:
    name, number = package["name"], package["version"]
    url = f"pkg:cargo/{name}@{number}"
    described = {"type": "library", "bom-ref": url, "name": name, "version": number, "purl": url}
    if package["license"]:
        # Old manifests separate alternatives by a slash.
        expression = package["license"].replace("/", " OR ")
        described["licenses"] = [{"expression": expression}]
    if digest:
        described["hashes"] = [{"alg": "SHA-256", "content": digest}]
    return described


def bill(target: Target, file: str, digest: str) -> dict:
    """The document for a file with this SHA-256."""
    packages, edges = dependencies(target.rust, (target.artifacts[file],))
    known = checksums()
    references = {name: f"pkg:cargo/{p['name']}@{p['version']}" for name, p in packages.items()}
    parts = [
        component(package, known.get((package["name"], package["version"])))
        for package in packages.values()
        if package["name"] != target.artifacts[file]
    ]
    main = {
        "type": "library" if file.endswith((".so", ".dll")) else "application",
        "bom-ref": f"pkg:cargo/{target.artifacts[file]}@{version()}",
        "name": file,
        "version": version(),
        "licenses": [{"expression": "Apache-2.0 OR MIT"}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "properties": [{"name": "planetkey:target", "value": target.name}],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, target.name + file + digest)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": main,
        },
        "components": sorted(parts, key=lambda part: part["bom-ref"]),
        "dependencies": sorted(
            (
                {"ref": references[name], "dependsOn": sorted(references[other] for other in used)}
                for name, used in edges.items()
            ),
            key=lambda entry: entry["ref"],
        ),
    }


def main() -> None:
    for target in named_targets():
        for file in target.artifacts:
            path = built(target) / file
            document = bill(target, file, hashlib.sha256(path.read_bytes()).hexdigest())
            text = json.dumps(document, indent=1) + "\n"
            path.with_name(f"{file}.cdx.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

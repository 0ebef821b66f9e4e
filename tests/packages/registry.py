"""A registry on loopback with the npm packages of a directory: registry.py DIRECTORY COMMAND...

Runs the command with the registry's address in `npm_config_registry`, and ends as it does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


def manifest(archive: Path) -> dict:
    with tarfile.open(archive) as tar:
        file = tar.extractfile("package/package.json")
        if file is None:
            raise SystemExit(f"{archive} has no package.json")
        return json.load(file)


class Handler(BaseHTTPRequestHandler):
    archives: dict[str, Path]

    def do_GET(self) -> None:  # noqa: N802
        path = unquote(self.path).lstrip("/")
        if path.startswith("-/"):
            self.respond(self.archives[path[2:]].read_bytes())
        elif path in self.archives:
            self.respond(json.dumps(self.packument(path)).encode())
        else:
            self.send_error(404)

    def packument(self, name: str) -> dict:
        described = manifest(self.archives[name])
        digest = hashlib.sha512(self.archives[name].read_bytes()).digest()
        host = f"http://{self.headers['Host']}"
        described["dist"] = {
            "tarball": f"{host}/-/{name}",
            "integrity": "sha512-" + base64.b64encode(digest).decode(),
        }
        version = described["version"]
        return {"name": name, "dist-tags": {"latest": version}, "versions": {version: described}}

    def respond(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    archives = {manifest(path)["name"]: path for path in Path(sys.argv[1]).glob("*.tgz")}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"archives": archives}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    environment = {**os.environ, "npm_config_registry": address}
    return subprocess.run(sys.argv[2:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""The servers of GDAL: an API that requires a valid token, and a storage that must never see one.

A process of its own: rasterio holds the GIL during some requests.
"""

import json
import struct
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# An image of 16 tiles of 64 KiB. GDAL prefetches less than that, so each tile needs a request.
SIZE = 512
TILE = 128
TILES = (SIZE // TILE) ** 2


PLACES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [8, 47]}}
    ],
}


def pixel(x: int, y: int) -> int:
    """The files, by their paths."""
    return (x * 7 + y * 131) % 65521


def tiff(bits: int, samples: int, tile: int) -> bytes:
    """An uncompressed TIFF, its directory first. Sample number n has the value `pixel` + n."""
    across = SIZE // tile
    tiles = across * across
    tile_bytes = tile * tile * samples * bits // 8
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("I", [SIZE]),
        257: ("I", [SIZE]),
        258: ("H", [bits] * samples),
        259: ("H", [1]),
        262: ("H", [1]),
        277: ("H", [samples]),
        284: ("H", [1]),
        322: ("I", [tile]),
        323: ("I", [tile]),
        324: ("I", [0] * tiles),
        325: ("I", [tile_bytes] * tiles),
        339: ("H", [1] * samples),
    }
    if samples > 1:
        tags[338] = ("H", [0] * (samples - 1))
    lists = 8 + 2 + 12 * len(tags) + 4
    sizes = [struct.calcsize(kind) * len(values) for kind, values in tags.values()]
    first = lists + sum(size for size in sizes if size > 4)
    tags[324] = ("I", [first + number * tile_bytes for number in range(tiles)])
    directory, beyond = struct.pack("<H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{kind}", *values)
        if len(packed) <= 4:
            where = packed.ljust(4, b"\0")
        else:
            where = struct.pack("<I", lists + len(beyond))
            beyond += packed
        directory += struct.pack("<HHI", tag, {"H": 3, "I": 4}[kind], len(values)) + where
    row = f"<{tile * samples}" + {16: "H", 32: "I"}[bits]
    data = b"".join(
        struct.pack(
            row,
            *(pixel(left + x, top + y) + sample for x in range(tile) for sample in range(samples)),
        )
        for top in range(0, SIZE, tile)
        for left in range(0, SIZE, tile)
        for y in range(tile)
    )
    return struct.pack("<2sHI", b"II", 42, 8) + directory + struct.pack("<I", 0) + beyond + data


@dataclass
class Request:
    """The requests and their responses."""

    server: str
    method: str
    path: str
    query: str
    authorization: list[str]
    status: int


@dataclass
class State:
    """What the servers share."""

    # Where the simulator judges tokens.
    judge: str
    picture: bytes
    quad: bytes
    api: str = ""
    storage: str = ""
    control: str = ""
    requests: list[Request] = field(default_factory=list)


def _judged(servers: State, authorization: list[str], query: str) -> int:
    """What the simulator says of a credential: its signature, expiry and revocation."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(servers.judge + "/range" + (f"?{query}" if query else ""))
    if len(authorization) > 1:
        return 400
    for value in authorization:
        request.add_header("Authorization", value)
    try:
        with opener.open(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _handler(servers: State, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            pass

        def _respond(self) -> None:
            path, _, query = self.path.partition("?")
            authorization = self.headers.get_all("Authorization") or []
            status, headers, body = self._answer(path, query, authorization)
            if name != "control":
                servers.requests.append(
                    Request(name, self.command, path, query, authorization, status)
                )
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = _respond  # noqa: N815

        def _answer(
            self, path: str, query: str, authorization: list[str]
        ) -> tuple[int, dict[str, str], bytes]:
            kind = path.split("/")[1]
            if name == "control":
                return (
                    200,
                    {},
                    json.dumps([asdict(request) for request in servers.requests]).encode(),
                )
            if name == "storage":
                # Signatures are for one method.
                if kind == "get-only" and self.command == "HEAD":
                    return 403, {}, b""
                return (200, {}, servers.quad) if kind == "quad" else self._picture()
            status = _judged(servers, authorization, query)
            if status != 200:
                return status, {"WWW-Authenticate": "Bearer"}, b""
            if kind in ("signed", "get-only"):
                return self._redirect(path)
            if kind == "tiles":
                return self._picture()
            if kind == "places":
                return 200, {"Content-Type": "application/geo+json"}, json.dumps(PLACES).encode()
            return self._mosaics(path)

        def _redirect(self, path: str) -> tuple[int, dict[str, str], bytes]:
            until = int(time.time()) + 3600
            return (
                302,
                {"Location": f"{servers.storage}{path}?X-Amz-Signature=0&Expires={until}"},
                b"",
            )

        def _mosaics(self, path: str) -> tuple[int, dict[str, str], bytes]:
            """Planet's basemaps for GDAL's driver PLMosaic: one mosaic of one quad."""
            if path == "/mosaics/mine/quads/0-0/full":
                return self._redirect("/quad")
            base = f"{servers.api}/mosaics"
            mosaic = {
                "id": "mine",
                "name": "mine",
                "coordinate_system": "EPSG:3857",
                "datatype": "uint16",
                "grid": {"quad_size": SIZE, "resolution": 78271.516964025},
                "quad_download": True,
                "_links": {
                    "_self": f"{base}/mine",
                    "quads": f"{base}/mine/quads?bbox={{lx}},{{ly}},{{ux}},{{uy}}",
                },
            }
            answers: dict[str, object] = {
                "/mosaics/": {"mosaics": [mosaic], "_links": {}},
                "/mosaics/mine": mosaic,
            }
            if path in answers:
                return 200, {"Content-Type": "application/json"}, json.dumps(answers[path]).encode()
            return 404, {}, b""

        def _picture(self) -> tuple[int, dict[str, str], bytes]:
            asked = self.headers.get("Range")
            if asked is None:
                return 200, {"Accept-Ranges": "bytes"}, servers.picture
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = (
                int(first),
                min(int(last or len(servers.picture)), len(servers.picture) - 1),
            )
            if start > end:
                return 416, {}, b""
            return (
                206,
                {
                    "Accept-Ranges": "bytes",
                    "Content-Range": f"bytes {start}-{end}/{len(servers.picture)}",
                },
                servers.picture[start : end + 1],
            )

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """GDAL closes a connection when it has read the header of a response."""


def _end(server: _Server) -> None:
    server.shutdown()
    server.server_close()


def main() -> None:
    """Serves until standard input ends.

    Each line of the input names a judge. It starts servers with new ports, which have seen nothing,
    in place of those before, and prints their addresses. API and storage are two hosts of this
    computer, because redirects lead from one host to another. A third server tells what they have
    seen.
    """
    picture, quad = tiff(32, 1, TILE), tiff(16, 4, SIZE)
    running: list[_Server] = []
    for line in sys.stdin:
        for server in running:
            # This takes as long as the server's loop sleeps.
            threading.Thread(target=_end, args=(server,), daemon=True).start()
        running.clear()
        state = State(line.strip(), picture, quad)
        for name, host in (
            ("api", "127.0.0.1"),
            ("storage", "127.0.0.2"),
            ("control", "127.0.0.1"),
        ):
            server = _Server((host, 0), _handler(state, name))
            setattr(state, name, f"http://{host}:{server.server_port}")
            threading.Thread(target=server.serve_forever, daemon=True).start()
            running.append(server)
        addresses = {"api": state.api, "storage": state.storage, "control": state.control}
        print(json.dumps(addresses), flush=True)


if __name__ == "__main__":
    main()

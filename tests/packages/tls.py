"""Requests a token over TLS with each cipher, group and kind of key, from a server with OpenSSL.

The packages contain an aws-lc that is compiled for size (packaging/compile). This runs in an
environment with planetkey, and needs the command `openssl`. The token that the server issues is the
name of the cipher, so it shows which one was used.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

KEYS = {"rsa": "rsa:2048", "p256": "ec:P-256", "p384": "ec:P-384"}
GROUPS = ("X25519", "P-256", "P-384")
TLS_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
TLS_1_2 = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
CONFIGURATION = """
openssl_conf = start
[start]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
Groups = {group}
Ciphersuites = {suites}
MinProtocol = {version}
MaxProtocol = {version}
"""


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        cipher, _, _ = self.connection.cipher()
        body = json.dumps({"access_token": cipher, "token_type": "Bearer", "expires_in": 3600})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def serve(certificate: str, key: str, ciphers: str) -> None:
    """Serves one request, with the groups and suites of OPENSSL_CONF."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_ciphers(ciphers)
    server = HTTPServer(("127.0.0.1", 0), Server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.handle_request()


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def certificates(work: Path) -> None:
    """A certificate for `localhost` with each kind of key, all of one authority."""
    authority = ("-CA", f"{work}/ca.pem", "-CAkey", f"{work}/ca.key", "-days", "2")
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", f"{work}/ca.key", "-out", f"{work}/ca.pem", "-subj", "/CN=test", "-days", "2"),
    )
    (work / "names").write_text("subjectAltName=DNS:localhost\n", encoding="utf-8")
    for name, kind in KEYS.items():
        algorithm, _, parameter = kind.partition(":")
        option = "rsa_keygen_bits" if algorithm == "rsa" else "ec_paramgen_curve"
        openssl(
            *("req", "-newkey", algorithm, "-pkeyopt", f"{option}:{parameter}", "-nodes"),
            *("-keyout", f"{work}/{name}.key", "-out", f"{work}/{name}.csr", "-subj", "/CN=test"),
        )
        openssl(
            *("x509", "-req", "-in", f"{work}/{name}.csr", *authority),
            *("-extfile", f"{work}/names", "-out", f"{work}/{name}.pem"),
        )


def token(work: Path, key: str, version: str, group: str, suite: str, ciphers: str) -> str:
    """The token that planetkey gets from a server which speaks nothing else."""
    import planetkey

    configuration = work / "openssl.cnf"
    text = CONFIGURATION.format(group=group, suites=suite or TLS_1_3[0], version=version)
    configuration.write_text(text, encoding="utf-8")
    command = [sys.executable, __file__, f"{work}/{key}.pem", f"{work}/{key}.key", ciphers]
    environment = {**os.environ, "OPENSSL_CONF": str(configuration)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as server:
        try:
            port = int(server.stdout.readline())
            session = planetkey.Session.from_client_config(
                {
                    "client_type": "oidc_client_credentials_secret",
                    "auth_server": f"https://localhost:{port}",
                    "token_endpoint": f"https://localhost:{port}/token",
                    "client_id": "client",
                    "client_secret": "secret",
                },
                allowed_hosts=["example.org"],
                save=False,
                storage_root=work / "storage",
                ca_file=work / "ca.pem",
                timeout=20,
            )
            return session.authorize("https://example.org/").access_token
        finally:
            server.kill()


def main() -> None:
    count = 0
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        certificates(work)
        cases = [
            ("rsa", "TLSv1.3", group, suite, "DEFAULT") for group in GROUPS for suite in TLS_1_3
        ]
        cases += [(key, "TLSv1.3", "X25519", TLS_1_3[0], "DEFAULT") for key in KEYS]
        for key in KEYS:
            prefix = "ECDHE-RSA-" if key == "rsa" else "ECDHE-ECDSA-"
            cases += [(key, "TLSv1.2", "X25519", "", prefix + suite) for suite in TLS_1_2]
        for case in cases:
            got = token(work, *case)
            expected = case[3] or case[4]
            if got != expected:
                raise SystemExit(f"{case}: {got} instead of {expected}")
            count += 1
    print(f"{count} passed, 0 failed")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(*sys.argv[1:])
    else:
        main()

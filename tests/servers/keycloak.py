"""Keycloak, the software behind services.sentinel-hub.com, with its realm under the same path."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server import HERE, Process, Server, call
from user import User

PASSWORD = "correct horse battery staple"

# Keycloak's names for requests of the token endpoint.
EVENTS = {
    "authorization_code": "CODE_TO_TOKEN",
    "client_credentials": "CLIENT_LOGIN",
    "refresh_token": "REFRESH_TOKEN",
    "urn:ietf:params:oauth:grant-type:device_code": "OAUTH2_DEVICE_CODE_TO_TOKEN",
}

# The port is a free one, and the issuer is the URL that clients use.
START = """
sh "$0" start --optimized --import-realm --cache=local \\
    --http-enabled=true --http-host=127.0.0.1 --http-port=0 --hostname-strict=false &
server=$!
while read -r _; do :; done
kill "$server"
wait "$server"
"""


class Keycloak(Server):
    """A Keycloak with its database in memory."""

    name = "Keycloak"
    device_interval_ms = 1000
    scopes = granted = ("openid", "profile", "email", "offline_access")

    def __init__(self, distribution: Path, directory: Path) -> None:
        home = directory / "keycloak"
        (home / "bin").mkdir(parents=True)
        # Keycloak's home is the directory of its script, so that it imports and writes there, not
        # in the distribution.
        program = Path(shutil.copy(distribution / "bin" / "kc.sh", home / "bin"))
        for part in ("lib", "conf", "providers", "themes"):
            (home / part).symlink_to(distribution / part)
        (home / "data" / "import").mkdir(parents=True)
        shutil.copy(HERE / "keycloak" / "main.json", home / "data" / "import")
        # Keycloak runs for a minute, too short for the second JIT compiler to pay off.
        environment = {
            "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m",
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",
        }
        self._process = Process(["sh", "-c", START, program], directory / "log", environment)
        self._admin = ""

    def wait(self) -> None:
        if self._admin:
            return
        line = self._process.read_until(b"Listening on: ", b"ERROR")
        listening = re.search(r"Listening on: (http://[0-9.:]+)", line)
        assert listening, line
        origin = listening[1] + "/auth"
        self.issuer = origin + "/realms/main"
        self._admin = origin + "/admin/realms/main"

    def end(self) -> None:
        self._process.end()

    def user(self) -> User:
        return User("user", PASSWORD)

    def _ask(self, path: str, document: object = None, method: str | None = None) -> Any:
        """A request to the admin API."""
        client = {
            "grant_type": "client_credentials",
            "client_id": "tests",
            "client_secret": "tests",
        }
        token = call(self.issuer + "/protocol/openid-connect/token", client).json["access_token"]
        response = call(self._admin + path, document=document, method=method, bearer=token)
        assert 200 <= response.status < 300, response
        return response.json if response.body else None

    def _events(self, client_id: str, grant_type: str) -> Iterator[str | None]:
        kind = EVENTS[grant_type]
        for event in reversed(
            self._ask(f"/events?client={client_id}&type={kind}&type={kind}_ERROR&max=1000")
        ):
            yield event.get("error") if event["type"] == kind + "_ERROR" else None

    def token_requests(self, client_id: str, grant_type: str) -> list[str | None]:
        return list(self._events(client_id, grant_type))

    def forget_requests(self) -> None:
        self._ask("/events", method="DELETE")

    def rotate_keys(self) -> None:
        realm = self._ask("")["id"]
        name = "org.keycloak.keys.KeyProvider"
        keys = self._ask(f"/components?parent={realm}&type={name}")
        ours = [key for key in keys if key["providerId"] == "rsa-generated"]
        highest = max(int(key["config"].get("priority", ["0"])[0]) for key in ours)
        config = {
            "priority": [str(highest + 1)],
            "enabled": ["true"],
            "active": ["true"],
            "algorithm": ["RS256"],
        }
        new = {
            "name": f"rsa {highest + 1}",
            "providerId": "rsa-generated",
            "providerType": name,
            "parentId": realm,
        }
        self._ask("/components", {**new, "config": config})
        for key in ours:
            self._ask(f"/components/{key['id']}", method="DELETE")

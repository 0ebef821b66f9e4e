"""Keycloak, the software behind services.sentinel-hub.com, with its realm under the same path."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from person import Person
from server import HERE, Process, Server, call

PASSWORD = "correct horse battery staple"

# What Keycloak calls a request of the token endpoint.
EVENTS = {
    "authorization_code": "CODE_TO_TOKEN",
    "client_credentials": "CLIENT_LOGIN",
    "refresh_token": "REFRESH_TOKEN",
    "urn:ietf:params:oauth:grant-type:device_code": "OAUTH2_DEVICE_CODE_TO_TOKEN",
}

# Its port is one that is free, and its issuer what a client calls it.
START = """
sh "$0" start --optimized --import-realm --cache=local \\
    --http-enabled=true --http-host=127.0.0.1 --http-port=0 --hostname-strict=false &
server=$!
while read -r _; do :; done
kill "$server"
wait "$server"
"""


class Keycloak(Server):
    """A Keycloak whose database is its memory."""

    name = "Keycloak"
    device_interval_ms = 1000
    scopes = granted = ("openid", "profile", "email", "offline_access")

    def __init__(self, distribution: Path, directory: Path) -> None:
        home = directory / "keycloak"
        (home / "bin").mkdir(parents=True)
        # Its home is where this program lies: what it imports and writes is there, and not in the distribution.
        program = Path(shutil.copy(distribution / "bin" / "kc.sh", home / "bin"))
        for part in ("lib", "conf", "providers", "themes"):
            (home / part).symlink_to(distribution / part)
        (home / "data" / "import").mkdir(parents=True)
        shutil.copy(HERE / "keycloak" / "main.json", home / "data" / "import")
        # It starts once and runs for a minute: the second compiler would cost more than it gains.
        environment = {"JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m", "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}
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

    def person(self) -> Person:
        return Person("person", PASSWORD)

    def _ask(self, path: str, document: object = None, method: str | None = None) -> Any:
        """A request of the administration's API."""
        client = {"grant_type": "client_credentials", "client_id": "tests", "client_secret": "tests"}
        token = call(self.issuer + "/protocol/openid-connect/token", client).json["access_token"]
        answer = call(self._admin + path, document=document, method=method, bearer=token)
        assert 200 <= answer.status < 300, answer
        return answer.json if answer.body else None

    def _events(self, client_id: str, grant_type: str) -> Iterator[str | None]:
        kind = EVENTS[grant_type]
        for event in reversed(self._ask(f"/events?client={client_id}&type={kind}&type={kind}_ERROR&max=1000")):
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
        config = {"priority": [str(highest + 1)], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]}
        new = {"name": f"rsa {highest + 1}", "providerId": "rsa-generated", "providerType": name, "parentId": realm}
        self._ask("/components", {**new, "config": config})
        for key in ours:
            self._ask(f"/components/{key['id']}", method="DELETE")

"""Starts and stops the stand-in, and asks it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

SECRET = "a-secret-of-the-tests-only-with-more-than-32-bytes"  # noqa: S105


def sign(role: str, secret: str = SECRET, **claims: Any) -> str:
    now = int(time.time())
    payload = {"role": role, "iss": "supabase", "ref": "local", "iat": now, "exp": now + 3600}
    return jwt.encode(payload | claims, secret, algorithm="HS256")


@dataclass(frozen=True)
class Gateway:
    """A running stand-in: its address, its configuration, its process."""

    url: str
    config: dict[str, Any]
    process: subprocess.Popen[bytes]

    def get(
        self, path: str, /, method: str = "GET", key: str = "", **headers: str
    ) -> httpx.Response:
        """A request with the secret key, or with `key` and the headers (`_` for `-`)."""
        sent = {"apikey": key or self.config["secret_key"]}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, f"{self.url}{path}", headers=sent, timeout=30)

    def rows(self, path: str, **headers: str) -> Any:
        response = self.get(f"/rest/v1/{path}", **headers)
        assert response.status_code in (200, 206), response.text
        return response.json()


def start(folder: Path, dsn: str, **changes: Any) -> Gateway:
    config: dict[str, Any] = {
        "dsn": dsn,
        "jwt_secret": SECRET,
        "service_role_key": sign("service_role"),
        "anon_key": sign("anon"),
        "secret_key": "sb_secret_of_the_tests",
        "publishable_key": "sb_publishable_of_the_tests",
        "schemas": ["public", "other"],
        "max_rows": 1000,
        "ready": str(folder / "ready.json"),
    } | changes
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "stages.sandbox.gateway", str(path)]
    process = subprocess.Popen(command)
    ready = Path(config["ready"])
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert process.poll() is None, "the stand-in ended before it served"
        assert time.monotonic() < deadline, "the stand-in does not serve"
        time.sleep(0.02)
    return Gateway(json.loads(ready.read_text(encoding="utf-8"))["url"], config, process)


def stop(gateway: Gateway) -> int:
    gateway.process.send_signal(signal.SIGTERM)
    return gateway.process.wait(5)

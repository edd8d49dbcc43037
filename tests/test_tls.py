"""Whom TLS trusts is read once, and anew where the environment names others."""

from __future__ import annotations

import shutil
from pathlib import Path

import certifi
import pytest

from stages.convex.client import Deployment
from stages.project.settings import Secret, Target
from stages.tls import trusted


def test_it_is_read_once_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    before = trusted()
    target = Target(
        name="t", deployment="d", url="https://d.convex.cloud", site_url=None,
        admin_key=Secret("dev:d|k"), secret=None,
    )  # fmt: skip
    monkeypatch.setattr(
        "ssl.SSLContext.load_verify_locations", lambda *_, **__: pytest.fail("read again")
    )
    with Deployment(target), Deployment(target):
        assert trusted() is before


def test_the_environment_names_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    before = trusted()
    one = tmp_path / "one.pem"
    shutil.copy(certifi.where(), one)
    text = one.read_text("utf-8")
    one.write_text(text[: text.index("-----END") + len("-----END CERTIFICATE-----\n")])
    monkeypatch.setenv("SSL_CERT_FILE", str(one))
    assert trusted().cert_store_stats()["x509"] == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    assert trusted() is before and before.cert_store_stats()["x509"] > 10

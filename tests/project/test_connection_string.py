"""SUPABASE_DB_URL on its way to libpq: encrypted, unless it stays on this machine."""

from __future__ import annotations

import pytest

from stages.project.connection_string import check_db_url, secure_db_url


@pytest.mark.parametrize(
    ("url", "connected"),
    [
        ("postgresql://u:p@127.0.0.1/x", "?connect_timeout=15"),
        ("postgresql://u:p@db.example.org/x", "?sslmode=require&connect_timeout=15"),
        ("postgresql://u:p@db.example.org/x?sslmode=", "&sslmode=require&connect_timeout=15"),
        ("postgresql://u:p@127.0.0.1/x?host=db.example.org", "&sslmode=require&connect_timeout=15"),
        ("postgresql://u:p@127.0.0.1/x?hostaddr=203.0.113.9&connect_timeout=3", "&sslmode=require"),
        ("postgresql://u:p@127.0.0.1,db.example.org/x", "?sslmode=require&connect_timeout=15"),
        ("postgresql://u:p@db.example.org/x?ssl%6Dode=verify-full&connect_timeout=3", ""),
    ],
)
def test_a_connection_to_another_machine_keeps_tls(url: str, connected: str) -> None:
    assert secure_db_url(url) == url + connected


def test_a_user_s_name_may_begin_with_a_slash() -> None:
    """It is no socket's folder."""
    address = "postgresql://%2fu:p@127.0.0.1:5432/x"
    assert check_db_url(address, "SUPABASE_DB_URL") == (None, "127.0.0.1:5432/x")


def test_an_address_from_the_environment_is_another_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "203.0.113.9")
    assert "sslmode=require" in secure_db_url("postgresql://u:p@localhost/x")

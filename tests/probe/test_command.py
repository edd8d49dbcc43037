"""`stages check --probe` as a command: what it prints, and where it does not run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stages import Migration, Shortfall, UserError
from stages.probe.findings import Finding
from stages.results import Probed
from stages.sandbox import State
from tests.docs import first_contact, servers_page
from tests.faults.support import KEY
from tests.support.command_line import ROOT, Stages


@pytest.fixture(scope="module")
def probing(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    data = tmp_path_factory.mktemp("probing") / "data"
    shutil.copytree(extracted, data)
    return Stages(data)


def test_what_it_prints_is_documented(probing: Stages) -> None:
    shown = first_contact.filled(first_contact.output(probing.data))
    there = first_contact.PAGE.read_text("utf-8")
    assert first_contact.without_figures(shown) == first_contact.without_figures(there)


def test_all_checks_are_documented() -> None:
    assert servers_page.page() == servers_page.PAGE.read_text("utf-8")


def test_json(probing: Stages) -> None:
    findings = json.loads(probing.run("check", "--probe", "--json").stdout)
    assert {tuple(finding) for finding in findings} == {
        ("section", "name", "expected", "verdict", "seen")
    }
    assert {finding["verdict"] for finding in findings} == {"confirmed", "measured", "not checked"}


@pytest.mark.parametrize("key", ["prod:happy-otter-123|5c", ""])
def test_not_on_production(key: str, supabase: State, tmp_path: Path) -> None:
    """Nor on a deployment of unknown kind: nothing is asked, whose address leads nowhere."""
    settings = {
        "SUPABASE_URL": supabase.source.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.source.service_role_key,
        "CONVEX_URL": "https://happy-otter-123.convex.cloud",
        "CONVEX_DEPLOY_KEY": key,
        "MIGRATION_SECRET": KEY,
    }
    migration = Migration(ROOT, data=tmp_path / "data", target="default", environment=settings)
    with pytest.raises(UserError, match="production deployment, and a probe writes") as raised:
        migration.probe()
    assert raised.value.hint and "--target dev check --probe" in raised.value.hint


def test_what_differs_falls_short() -> None:
    def of(verdict: str) -> Finding:
        return Finding(section="s", name="n", expected="e", verdict=verdict, seen="")  # type: ignore[arg-type]

    Probed(findings=tuple(map(of, ("confirmed", "measured", "not checked")))).raise_if_wrong()
    for verdict in ("differs", "failed"):
        with pytest.raises(Shortfall, match="1 of 1 checks"):
            Probed(findings=(of(verdict),)).raise_if_wrong()

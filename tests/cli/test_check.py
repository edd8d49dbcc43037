"""`stages check` as a whole: models, and hints that lead on."""

from __future__ import annotations

from pathlib import Path

from stages.sandbox import State
from tests.support.command_line import Stages
from tests.support.project_copies import copy_project, edit_model


def test_models_that_do_not_run(supabase: State, tmp_path: Path) -> None:
    """Before anything is extracted: what a first transform would meet, and nothing is left."""
    stages = Stages(tmp_path / "data", project=copy_project(tmp_path / "project"))
    assert "models: all 13 run" in stages.run("check").stdout
    edit_model(stages.project, "articles", "FROM extract.articles", "FROM extract.articels")
    # One that others refer to, and one of these: each is named.
    edit_model(stages.project, "webinars", "FROM extract.webinars", "FROM extract.webbinars")
    registrations = "FROM extract.webinar_registrations"
    edit_model(stages.project, "webinarRegistrations", registrations, f"{registrations}s")
    done = stages.run("check", code=1)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG model of ")]
    assert [line.split(":")[0] for line in wrong] == [
        "WRONG model of articles", "WRONG model of webinars", "WRONG model of webinarRegistrations",
    ]  # fmt: skip
    assert "models/articles.sql, line " in wrong[0] and "articels" in wrong[0]
    assert "fix what is WRONG" in done.stderr
    assert not (stages.data / "extract").exists()


def test_no_hint_leads_back(supabase: State, tmp_path: Path) -> None:
    """The address is of something that is no Supabase, and answers 404."""
    stages = Stages(tmp_path / "data", "default", copy_project(tmp_path / "project"))
    convex = supabase.deployments["sandbox"]
    stages.environment = {
        "SUPABASE_URL": convex.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.source.service_role_key,
        "CONVEX_URL": convex.url,
        "CONVEX_DEPLOY_KEY": convex.admin_key,
    }
    done = stages.run("check", code=1)
    assert "WRONG REST: " in done.stdout
    assert "stages check" not in done.stdout + done.stderr

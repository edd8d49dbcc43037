"""A target that reads a source of the user's own, and loads into a Convex on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from stages.convex.client import Deployment
from stages.errors import FileError, UserError
from stages.project.plan_reader import load_plan
from stages.project.settings import sandbox_target
from stages.sandbox import SandboxDeployment, State
from stages.sandbox.deployments import convex_digest
from tests.load.project import Notes, make_convex
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_project
from tests.support.sandboxes import open_folder, own_sandbox

TARGET = "rehearsal"
TABLE = "articles"


@pytest.fixture
def box() -> Iterator[Path]:
    """The folder of one sandbox, where Postgres' account may go too."""
    with open_folder("test") as folder, own_sandbox(folder / "box") as box:
        yield box


@pytest.fixture
def own(supabase: State, tmp_path: Path, box: Path) -> Stages:
    """This project's plan, with the session's source as the user's own: it is in the settings."""
    source = supabase.source
    project = copy_project(tmp_path / "project")
    plan = project / ".planning" / "migrations" / "plan.toml"
    with plan.open("a", encoding="utf-8") as file:
        file.write(f'\n[targets.{TARGET}]\nconvex = "sandbox"\n')
    settings = {
        "SUPABASE_DB_URL": source.db_url,
        "CONVEX_URL": "https://happy-otter-123.convex.cloud",
        "CONVEX_DEPLOY_KEY": "prod:happy-otter-123|0",
    }
    return Stages(tmp_path / "data", TARGET, project, settings)


def test_rows_of_ones_own_into_a_sandbox(own: Stages, supabase: State) -> None:
    """Also where the settings name a production deployment, of which nothing is used."""
    extracted = own.run("extract")
    assert f"Supabase {supabase.source.ref} → Convex {TARGET}-" in extracted.stderr
    unused = "not used with this target: CONVEX_URL, CONVEX_DEPLOY_KEY"
    assert unused in first_line(extracted.stderr)
    running = json.loads(own.run("sandbox", "status", "--json").stdout)
    assert running["source"] is None and list(running["deployments"]) == [TARGET]
    # It has no workspaces, to which every row refers: they are rejects, and no load is refused.
    own.run("transform", code=1)
    own.run("load", TABLE, "--accept-rejects")
    own.run("verify", TABLE)
    assert "Convex rehearsal-" in own.run("sandbox", "up").stdout


def test_a_sandbox_says_what_it_does_not_use(own: Stages) -> None:
    own.target = "sandbox"
    done = own.run("extract", TABLE)
    assert (
        "(target sandbox); not used with this target: SUPABASE_DB_URL, CONVEX_URL, "
        "CONVEX_DEPLOY_KEY" in first_line(done.stderr)
    )


def first_line(printed: str) -> str:
    """Of what a command says; a sandbox that takes long to start has lines of its own before."""
    return next(line for line in printed.splitlines() if not line.startswith("  "))


def test_an_edit_is_pushed(tmp_path: Path, box: Path) -> None:
    """By the next command, with the documents, where the new schema takes them."""
    convex = make_convex(tmp_path)
    notes = Notes()

    def deploy(*, renew: bool = False, push: bool = False) -> SandboxDeployment:
        notes.messages.clear()
        return sandbox.deploy(tmp_path, TARGET, notes, renew=renew, push=push)

    def teams(deployment: SandboxDeployment) -> list[str]:
        with Deployment(sandbox_target(TARGET, deployment)) as opened:
            page = opened.query(
                "migrate:readPage", {"table": "teams", "cursor": None, "numItems": 9}
            )
            if not page["page"]:
                opened.mutation("app:add", {"table": "teams", "documents": [{"name": "A"}]})
            return [document["name"] for document in page["page"]]

    first = deploy()
    assert teams(first) == []
    assert (deploy(), notes.messages) == (first, [])
    schema = convex / "schema.ts"
    text = schema.read_text("utf-8")
    schema.write_text(
        text.replace(
            "name: v.string(), lead", "name: v.string(), size: v.optional(v.number()), lead"
        )
    )
    second = deploy()
    assert notes.messages[0] == f"pushing convex/ to the sandbox's Convex (target {TARGET})"
    assert second.name == first.name and teams(second) == ["A"]
    # What can't be pushed leaves the one that serves as it is.
    unfit = text.replace("name: v.string(), lead", "name: v.number(), lead")
    for broken, words in (("export default {", "can't be executed"), (unfit, "teams")):
        schema.write_text(broken)
        with pytest.raises(UserError, match=words) as raised:
            deploy(push=True)
        assert teams(second) == ["A"]
    assert raised.value.hint and "sandbox up --renew" in raised.value.hint
    # The next command uses what was pushed before, such as to roll back.
    assert deploy() == second
    assert notes.messages[1].startswith("convex/ is not pushed, and the previous version serves: ")
    command = f"stages --target {TARGET}"
    assert notes.messages[1].endswith(f": {command} rollback && {command} sandbox push")
    schema.write_text(text)
    third = deploy(renew=True)
    assert (third.name, teams(third)) == (first.name, ["A"])
    schema.write_text(unfit)
    assert deploy(renew=True).name != first.name
    assert not list(box.glob("*.next.json"))


@pytest.mark.parametrize("ending", ["ts", "js", "tsx", "jsx", "mts", "mjs", "cts", "cjs", "json"])
def test_an_edit_of_any_module_is_seen(ending: str, tmp_path: Path) -> None:
    """Whatever a push takes for a module, and not what packages have."""
    seen = [convex_digest(tmp_path)]
    for text in ("1", "2"):
        for name in (f"lib/a.{ending}", "node_modules/a.ts", "notes.md"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
            seen.append(convex_digest(tmp_path))
    assert seen == [seen[0], *[seen[1]] * 3, *[seen[4]] * 3]
    assert len(set(seen)) == 3


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ('convex = "cloud"', "`convex` must be one of sandbox, not 'cloud'"),
        (
            'convex = "sandbox"\nconvex_url = "DEV_URL"',
            "a sandbox has keys of its own, so `convex_url` has no effect",
        ),
    ],
)
def test_the_plan(entries: str, words: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    shipped = (ROOT / ".planning" / "migrations" / "plan.toml").read_text("utf-8")
    plan.write_text(f"{shipped}\n[targets.own]\n{entries}\n")
    with pytest.raises(FileError, match=words) as raised:
        load_plan(plan)
    assert raised.value.line == plan.read_text().splitlines().index(entries.splitlines()[-1]) + 1

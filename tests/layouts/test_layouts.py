"""Every common layout of a project: init reads its schema, and the sandbox hosts its functions."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from stages import sandbox
from stages.convex.client import Deployment, FunctionError
from stages.convex.schema import Schema, export_schema
from stages.project.plan_reader import load_plan
from stages.readiness import list_functions
from tests.init.support import MIGRATIONS, model, source_of
from tests.layouts.support import NAMES, Project, copy_layout, deployed, initialise, tables_of


@pytest.fixture(scope="module")
def source(supabase: sandbox.State) -> Iterator[sandbox.State]:
    with tables_of(supabase):
        yield supabase


@pytest.fixture(scope="module", params=NAMES)
def project(
    request: pytest.FixtureRequest,
    source: sandbox.State,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    """One layout after the other, each with its deployment."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    root = copy_layout(name, folder / name)
    result = initialise(root, source_of(source), name)
    with deployed(root, folder / "host") as host:
        yield Project(name=name, folder=root, result=result, host=host)


def test_init_reads_it(project: Project) -> None:
    plan = load_plan(project.folder / MIGRATIONS / "plan.toml")
    assert set(plan.tables) == {project.authors, "books"}
    schema = Schema(export_schema(project.convex))
    assert schema.references()["books"] == {project.authors}
    assert "migrationLedger" in schema.tables
    assert f"ref('{project.authors}', " in model(project.folder, "books")


def test_the_sandbox_hosts_it(project: Project) -> None:
    """Three documents with a reference go in by stages' functions; the app's own read them too."""
    [author] = project.insert(project.authors, [{"name": "Ann"}])
    books = [{"title": title, "authorId": author} for title in ("one", "two")]
    ids = project.insert("books", books)
    page = project.query("stages:readPage", {"table": "books", "cursor": None, "numItems": 9})
    read = [{name: book[name] for name in ("_id", "title", "authorId")} for book in page["page"]]
    assert read == [{"_id": id_, **book} for id_, book in zip(ids, books, strict=True)]
    assert project.query("books:titles") == ["one", "two"]


def of(name: str) -> pytest.MarkDecorator:
    """For one layout only."""
    return pytest.mark.parametrize("project", [name], indirect=True)


@of("components")
def test_a_component_s_functions_are_its_own(project: Project) -> None:
    with pytest.raises(FunctionError, match="Could not find public function for 'counter/counts"):
        project.query("counter/counts:all")
    with pytest.raises(FunctionError, match='Component "aggregate" is not registered'):
        project.query("books:count")


@of("auth")
def test_http_actions_are_served_where_http_ts_loads(project: Project) -> None:
    answer = httpx.get(f"{project.host.site_url}/.well-known/openid-configuration")
    assert answer.json()["issuer"] == project.host.site_url
    assert project.host.addresses["unrouted"] is None


@of("better-auth")
def test_without_http_ts_the_rest_is_served(project: Project) -> None:
    """It needs a variable of the deployment; its reason is where somebody looks for it."""
    why = "convex/http.ts can't be loaded: convex/auth.ts:9: the variable SITE_URL is not set"
    assert project.host.addresses["unrouted"] == why
    assert f"HTTP actions are not served: {why}" in project.host.log
    answer = httpx.get(f"{project.host.site_url}/api/auth/ok")
    assert (answer.status_code, why in answer.json()["message"]) == (404, True)
    # The functions that a load asks for are listed all the same.
    with Deployment(project.host.target()) as deployment:
        listed = {each["identifier"] for each in list_functions(deployment)}
    assert {"stages.js:bulkInsertBooks", "stages.js:readPage"} <= listed


@of("esm")
def test_a_module_that_fails_is_an_error_of_its_functions(project: Project) -> None:
    for function, words in (
        ("covers:draw", "covers.ts:3: the package sharp is not installed; run: npm install sharp"),
        ("broken:one", "broken.ts:5: needs what is not there"),
        ("_generated/server:query", "Could not find public function"),
        ("../schema:default", "Could not find public function"),
    ):
        with pytest.raises(FunctionError) as failed:
            project.query(function)
        assert words in failed.value.words
    # What a module only begins is nobody's error.
    assert [project.query("floating:one"), project.query("floating:one")] == [1, 1]
    assert "a promise of the project's code failed" in project.host.log
    assert "nothing waits for this" not in project.host.log


@of("unvalidated")
def test_documents_are_not_validated_where_the_schema_says_so(project: Project) -> None:
    assert project.mutate("books:odd") == [7, True]


@of("zod")
def test_documents_are_validated_by_what_zod_says(project: Project) -> None:
    with pytest.raises(FunctionError, match="does not match"):
        project.mutate("books:odd")

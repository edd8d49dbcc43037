"""Three wide schemas: few decisions, no wrong pair without a check, and the right documents once
decisions and checks are answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.convex.schema import load_schema
from stages.extract.run import ExtractOptions, extract
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.state.manifests import ExtractManifest
from stages.state.records import read_whole
from stages.state.workspace import manifest_file
from stages.transform.run import TransformOptions, transform
from tests.init.drifting import NO_CHANGE, text_of
from tests.init.support import run_init, source_of, spread_ledger
from tests.init.wide.support import (
    Wide,
    answer,
    columns_of_source,
    copy_project,
    differences,
    expected_documents,
    staged,
    unanswered,
    unmarked,
)
from tests.support.sandboxes import own_source

SCHEMAS = {
    "community": ("public",),
    "crm": ("public", "billing", "support"),
    "storefront": ("public",),
}
# What nobody can know: (model, what it is about).
DECISIONS = {
    "community": {
        ("posts", "searchText"), ("polls", "multipleChoice"), ("pollOptions", "text"),
        ("webhooks", "secret"),
    },
    "crm": {
        ("users", "name"), ("addresses", "line1"), ("calls", "startedAt"),
        ("products", "stripeId"), ("prices", "stripeId"),
    },
    "storefront": {
        ("settings", "trackInventory"), ("posts", "author_id"), ("redirects", "from"),
        ("redirects", "to"), ("staffNotes", "text"),
    },
}  # fmt: skip
# The secrets of each source, which nobody has asked for.
SECRETS = {
    "community": {
        "shares": ("password",), "push_subscriptions": ("auth_secret",),
        "oauth_connections": ("access_token", "refresh_token"), "api_tokens": ("token_hash",),
        "webhooks": ("secret",),
    },
    "crm": {"invitations": ("token_hash",), "integrations": ("api_key", "refresh_token")},
    "storefront": {
        "store_settings": ("smtp_password", "stripe_secret_key", "stripe_webhook_secret"),
        "gift_cards": ("code_hash",), "newsletter_subscribers": ("confirmation_token",),
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=SCHEMAS)
def wide(request: pytest.FixtureRequest, sandbox_root: Path) -> Iterator[Wide]:
    """One of them after `init` and an extract, in a sandbox of its own; no deployment."""
    root = sandbox_root / f"wide-{request.param}"
    project = copy_project(request.param, root / "project")
    with own_source(root / "box", project) as state:
        source = source_of(state)
        result = run_init(project, source, schemas=SCHEMAS[request.param])
        spread_ledger(project)
        wide = Wide(
            name=request.param,
            project=project,
            source=source,
            todos=result.todos,
            columns=columns_of_source(state.source.db_url, SCHEMAS[request.param]),
            expected=expected_documents(request.param, state.source.db_url),
        )
        plan = load_plan(wide.workspace.plan)
        assert not extract(wide.workspace, plan, source, ExtractOptions(), Silent()).failed
        yield wide


def test_at_most_one_decision_for_fifteen_columns(wide: Wide) -> None:
    assert len(wide.columns) >= 50
    assert max(wide.columns.values()) >= 80 or wide.name != "storefront"
    decisions = {
        (todo.file.rpartition("/")[2].removesuffix(".sql"), todo.what.split()[0])
        for todo in wide.left("decide")
    }
    assert decisions == DECISIONS[wide.name]
    assert len(wide.left("decide")) * 15 <= sum(wide.columns.values())
    assert len(wide.left("check")) * 3 <= sum(wide.columns.values())


def test_right_after_init_nothing_has_changed(wide: Wide) -> None:
    result = run_init(wide.project, wide.source, update=True)
    assert text_of(result) == NO_CHANGE


def test_no_pair_is_wrong_without_a_check(wide: Wide) -> None:
    """A pair that init takes for sure gives the values that a person expects."""
    assert unmarked(wide, unanswered(wide)) == set()


def test_no_secret_is_read(wide: Wide) -> None:
    plan = load_plan(wide.workspace.plan)
    excluded = {name: entry.exclude for name, entry in plan.sources.items() if entry.exclude}
    excluded.pop("auth_users", None)
    assert excluded == SECRETS[wide.name]
    for name, columns in excluded.items():
        manifest = read_whole(ExtractManifest, manifest_file(wide.workspace.extract(name)))
        assert manifest and not {column.name for column in manifest.columns} & {*columns}


def test_answers_to_decisions_and_checks_give_the_expected_documents(wide: Wide) -> None:
    answer(wide)
    workspace, plan = wide.workspace, load_plan(wide.workspace.plan)
    extract(workspace, plan, wide.source, ExtractOptions(), Silent())
    result = transform(workspace, plan, load_schema(workspace), TransformOptions(), Silent())
    assert not result.failed
    documents = staged(wide)
    assert documents.keys() == wide.expected.keys()
    assert list(differences(documents, wide.expected)) == []

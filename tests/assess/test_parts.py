"""Names, values and figures, one by one."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from stages.assess.assessment import Bucket
from stages.assess.budget import Budget
from stages.assess.cost import TableCost, whole_cost
from stages.assess.names import looks_personal
from stages.assess.over_rest import RestLook, is_exact
from stages.assess.rebuild import ALL_KINDS
from stages.assess.risks import RULES
from stages.assess.text import bytes_text, minutes_text, rates_text, seconds_text
from stages.assess.verdicts import SHORT
from stages.extract.rest import RestReader
from stages.init.not_carried import KINDS
from stages.project.settings import Secret, Source
from tests.extract.stub import Answer, serving


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("email", True), ("tax_id", True), ("homeAddress", True), ("first_name", True),
        ("ip", True), ("zip", True), ("email_id", False), ("title", False), ("page", False),
        ("message", False), ("password_hash", False), ("", False),
    ],
)  # fmt: skip
def test_names_of_personal_data(name: str, personal: bool) -> None:
    assert looks_personal(name) == personal


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (2**53, True), (2**53 + 1, False), (Decimal("0.1"), True), (Decimal("12.5000"), True),
        (Decimal("0.12345678901234567890"), False), (Decimal("1e400"), False), (10**400, False),
        (Decimal("1e-400"), False), ("9007199254740993", True), (True, True), (None, True),
    ],
)  # fmt: skip
def test_numbers_that_float64_holds(value: Any, exact: bool) -> None:
    assert is_exact(value) == exact


def test_figures_are_read_at_a_glance() -> None:
    assert [bytes_text(n) for n in (0, 1023, 1536, 300 << 20, 5 << 40)] == [
        "0 B", "1,023 B", "1.5 KiB", "300 MiB", "5,120 GiB",
    ]  # fmt: skip
    assert [minutes_text(n) for n in (0.5, 12, 200)] == ["under a minute", "12 min", "3 h 20 min"]
    assert [seconds_text(n) for n in (0, 42, 600)] == ["1 s", "42 s", "10 min"]
    assert rates_text({"4 MiB/s": 3, "8 MiB/s": 1.5, "32 MiB/s": 0.4, "64 MiB/s": 0.2}) == (
        "3 min at 4 MiB/s · 2 min at 8 MiB/s · under a minute at 32 MiB/s"
    )


def costs(mebibytes: int) -> TableCost:
    return TableCost(
        documents=1000, document=mebibytes << 10, written=mebibytes << 20, stored=mebibytes << 21,
        calls=10, seconds=1.0,
    )  # fmt: skip


def test_the_road_is_what_fits() -> None:
    few = whole_cost([costs(10)], cycles=0)
    assert few.road == "functions" and len(few.why) == 1
    many = whole_cost([costs(20_000)], cycles=0)
    assert many.road == "import" and "1 h 23 min at the lowest rate" in many.why[0]
    assert "41.9 GB are stored" in many.why[1]
    assert whole_cost([costs(10)], cycles=1).road == "import"
    assert whole_cost([], cycles=0).minutes["4 MiB/s"] == 0


def test_every_kind_and_rule_can_be_told() -> None:
    # Foreign keys and defaults are carried over as v.id() and in the model's values.
    assert set(KINDS) - set(ALL_KINDS) == {"foreign key", "default", "index"}
    for kind, known in ALL_KINDS.items():
        assert known.verdict is None or kind in SHORT, kind
    assert all(rule.short and rule.advice for rule in RULES.values())


def test_buckets_are_listed_over_rest() -> None:
    buckets = [
        {"id": "avatars", "name": "avatars", "public": True},
        {"id": "files", "public": False},
    ]
    with serving() as stub:
        source = Source(ref="ref", url=stub.url, key=Secret("sb_secret_x"), db_url=None)
        reader = RestReader(source, ["public"])
        try:
            stub.script = lambda request: (
                Answer(body=json.dumps(buckets).encode())
                if request.table == "storage/v1/bucket"
                else None
            )
            budget = Budget(60)
            assert RestLook(reader, budget).buckets() == (
                Bucket(name="avatars", public=True), Bucket(name="files", public=False),
            )  # fmt: skip
            assert budget.skipped == (
                "files by bucket: they are counted over SUPABASE_DB_URL only",
            )
        finally:
            reader.close()

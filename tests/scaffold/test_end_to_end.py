"""From init to a verified load, with the edits that a person makes and no others."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Stages
from copies import edit_model, edit_plan

from scaffold.support import copy_project, sandbox_at, spread_ledger, typecheck


def test_a_shop_goes_from_init_to_a_verified_load(shop: Path, tmp_path: Path) -> None:
    project = copy_project("shop", tmp_path / "shop")
    stages = Stages(tmp_path / "data", "sandbox", project)
    with sandbox_at(shop):
        told = json.loads(stages.run("init", str(project), "--json").stdout)
        assert not told["without_source"] and not told["without_target"]
        undecided = {(t["file"].rpartition("/")[2], t["what"].split()[0]) for t in told["todos"]}
        assert undecided == {
            ("users.sql", "created_at"),  # may be null
            ("users.sql", "no"),  # field takes it
            ("orders.sql", "no"),
            ("orderLines.sql", "quantity"),
        }
        spread_ledger(project)
        assert typecheck(project) == ""

        stages.run("extract")
        # As it was written: the row whose required field is null falls out, and nothing else.
        stages.run("transform", code=1)
        rejects = stages.json("rejects")
        assert [(r["table"], r["rule"], r["rows"]) for r in rejects] == [
            ("orderLines", "required_null", 1)
        ]
        edit_model(
            project, "orderLines", "    quantity\n", "    coalesce(quantity, 1) AS quantity\n"
        )
        edit_plan(project, "max_rejects = 0 ", "max_rejects = 1 ")
        stages.run("transform")
        stages.run("load")
        stages.run("verify")
        counts = {name: told["verified"] for name, told in stages.manifest("verify").items()}
        assert counts == {
            "customers": 5, "users": 5, "products": 4, "orders": 12, "orderLines": 12, "remarks": 3,
        }  # fmt: skip
        stages.run("load")
        (order,) = stages.sql('select * from transform.orders where _source_id = \'["1","2"]\'')
        assert order["customer"] == "customers:3"
        assert order["status"] == "done"
        assert order["createdAt"] == "2024-02-28T00:00:00.000Z"

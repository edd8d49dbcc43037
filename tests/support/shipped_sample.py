"""The sample's hazards, and a project with staged files for trying models."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.convex.schema import load_schema
from stages.errors import UserError
from stages.progress import Silent
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.state.workspace import Workspace, manifest_file
from stages.transform.run import TransformOptions, TransformResult, transform
from tests.support.project_copies import edit_model

Rejects = dict[int, tuple[str, str]]
# data/sandbox/README.md: source table → row → (field, rule).
HAZARDS: dict[str, Rejects] = {
    "articles": {
        8: ("created_at", "required_null"),
        9: ("created_at", "required_null"),
        37: ("workspace_id", "witnesses_disagree"),
        38: ("workspace_id", "no_match"),
        39: ("workspace_id", "ambiguous"),
        40: ("workspace_id", "orphan"),
    },
    "webinars": {
        22: ("created_at", "required_null"),
        23: ("workspace_id", "witnesses_disagree"),
        24: ("workspace_id", "no_match"),
        25: ("workspace_id", "ambiguous"),
        26: ("workspace_id", "orphan"),
    },
    "webinar_registrations": {
        40: ("registered_at", "required_null"),
        41: ("registered_at", "required_null"),
        261: ("webinar_id", "orphan"),
        262: ("contact_id", "orphan"),
        263: ("workspace_id", "orphan"),
        264: ("contact_id", "no_match"),
        265: ("contact_id", "no_match"),
        266: ("contact_id", "ambiguous"),
        267: ("webinar_id", "parent_rejected"),
        268: ("webinar_id", "parent_rejected"),
        270: ("webinar_id", "parent_rejected"),
        271: ("webinar_id", "parent_rejected"),
    },
    "consultant_slots": {
        7: ("created_at", "required_null"),
        45: ("workspace_id", "witnesses_disagree"),
        46: ("workspace_id", "ambiguous"),
        47: ("workspace_id", "orphan"),
    },
    "ari_destinations": {
        10: ("created_at", "required_null"),
        11: ("created_at", "required_null"),
        23: ("requirements", "field_name"),
        26: ("programs", "null_in_array"),
        57: ("workspace_id", "witnesses_disagree"),
        58: ("workspace_id", "no_match"),
        59: ("workspace_id", "ambiguous"),
        60: ("workspace_id", "orphan"),
    },
    "ari_payments": {
        12: ("created_at", "required_null"),
        13: ("created_at", "required_null"),
        33: ("gateway_response", "field_name"),
        34: ("gateway_response", "inexact_number"),
        37: ("gateway_response", "field_name"),
        97: ("ari_conversation_id", "no_match"),
        98: ("ari_conversation_id", "no_match"),
        99: ("ari_conversation_id", "no_match"),
        100: ("ari_conversation_id", "no_match"),
        101: ("ari_conversation_id", "no_match"),
        102: ("ari_conversation_id", "no_match"),
        103: ("ari_conversation_id", "no_match"),
        104: ("ari_conversation_id", "orphan"),
        105: ("workspace_id", "orphan"),
    },
    "ari_appointments": {
        14: ("created_at", "required_null"),
        73: ("ari_conversation_id", "no_match"),
        74: ("ari_conversation_id", "no_match"),
        75: ("ari_conversation_id", "no_match"),
        76: ("ari_conversation_id", "no_match"),
        77: ("ari_conversation_id", "orphan"),
        78: ("workspace_id", "orphan"),
    },
    "ari_ai_comparison": {
        5: ("created_at", "required_null"),
        36: ("workspace_id", "witnesses_disagree"),
        37: ("workspace_id", "no_match"),
        38: ("workspace_id", "orphan"),
    },
    "ari_flow_stages": {
        6: ("created_at", "required_null"),
        43: ("workspace_id", "witnesses_disagree"),
        44: ("workspace_id", "no_match"),
        45: ("workspace_id", "orphan"),
    },
    "ari_knowledge_categories": {
        5: ("created_at", "required_null"),
        29: ("workspace_id", "witnesses_disagree"),
        30: ("workspace_id", "ambiguous"),
        31: ("workspace_id", "orphan"),
    },
    "ari_knowledge_entries": {
        5: ("category_id", "parent_rejected"),
        7: ("created_at", "required_null"),
        33: ("category_id", "parent_rejected"),
        61: ("category_id", "parent_rejected"),
        89: ("category_id", "parent_rejected"),
        101: ("category_id", "orphan"),
        102: ("category_id", "parent_rejected"),
        103: ("workspace_id", "witnesses_disagree"),
        104: ("workspace_id", "no_match"),
        105: ("workspace_id", "orphan"),
    },
    "ari_scoring_config": {},
}
TARGETS = {
    "articles": "articles", "webinars": "webinars", "consultant_slots": "consultantSlots",
    "webinar_registrations": "webinarRegistrations", "ari_destinations": "ariDestinations",
    "ari_payments": "ariPayments", "ari_appointments": "ariAppointments",
    "ari_ai_comparison": "ariAiComparison", "ari_flow_stages": "ariFlowStages",
    "ari_knowledge_categories": "ariKnowledgeCategories",
    "ari_knowledge_entries": "ariKnowledgeEntries", "ari_scoring_config": "ariScoringConfig",
}  # fmt: skip


def row_id(table: str, n: int) -> str:
    """The key of a row of the sample, as described in its README."""
    return str(uuid.UUID(hashlib.md5(f"{table}:{n}".encode()).hexdigest()))


class Work:
    """A project to edit and its staged files, transformed in this process."""

    def __init__(self, project: Path, data: Path) -> None:
        self.project = project
        self.workspace = Workspace(project=project.resolve(), data=data.resolve(), target="sandbox")

    @property
    def plan(self) -> Plan:
        return load_plan(self.workspace.plan)

    def transform(self, *tables: str, restart: bool = False) -> TransformResult:
        options = TransformOptions(tables=tables, restart=restart)
        return transform(self.workspace, self.plan, load_schema(self.workspace), options, Silent())

    def fails(self, *tables: str) -> UserError:
        """The error of a refused transform: not due to data, the user must edit something."""
        with pytest.raises(UserError) as error:
            self.transform(*tables)
        assert error.value.exit_code == 2
        assert error.value.hint
        return error.value

    def model(self, name: str, old: str, new: str) -> None:
        edit_model(self.project, name, old, new)

    def append(self, name: str, sql: str) -> None:
        file = self.project / ".planning" / "migrations" / "models" / f"{name}.sql"
        file.write_text(f"{file.read_text().rstrip()}\n{sql}\n")

    def whole_model(self, name: str, sql: str) -> None:
        (self.project / ".planning" / "migrations" / "models" / f"{name}.sql").write_text(sql)

    def manifest(self, table: str) -> dict[str, Any]:
        """The table's transform manifest, as plain JSON."""
        file = manifest_file(self.workspace.transform(table))
        manifest: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return manifest

    def rows(self, table: str, what: str) -> list[dict[str, Any]]:
        """Rows of documents, rejects or changes; JSON and uuid as plain text."""
        arrow_table = pq.read_table(self.workspace.transform(table) / f"{what}.parquet")
        rows: list[dict[str, Any]] = plain(arrow_table).to_pylist()
        return rows

    def rejected(self, table: str) -> dict[str, tuple[str, str]]:
        return {r["source_id"]: (r["field"], r["rule"]) for r in self.rows(table, "rejects")}

    def document(self, table: str, key: str) -> dict[str, Any]:
        (row,) = [r for r in self.rows(table, "documents") if r["_source_id"] == key]
        return row


def plain(table: pa.Table) -> pa.Table:
    """Convert columns of extension types to their storage, and uuid to text."""
    columns = []
    for column in table.columns:
        array = column.combine_chunks()
        if array.type == pa.uuid():
            array = pa.array(
                [None if v is None else str(uuid.UUID(bytes=v)) for v in array.storage.to_pylist()]
            )
        elif isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        columns.append(array)
    return pa.table(columns, names=table.column_names)


def extract_rows(staged: Work, source: str) -> list[dict[str, Any]]:
    files = sorted((staged.workspace.extract(source)).glob("part-*.parquet"))
    if not files:
        return []
    tables = [plain(pq.ParquetFile(file).read()) for file in files]
    rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
    return rows


def changed(work: Work, table: str, rule: str) -> set[tuple[str, str]]:
    return {(r["source_id"], r["field"]) for r in work.rows(table, "changes") if r["rule"] == rule}

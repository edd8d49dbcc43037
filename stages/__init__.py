"""Staged, checkpointing extract-transform-load from Supabase to Convex.

    from stages import Migration

    migration = Migration("~/shop", target="production")
    migration.extract()
    migration.transform().raise_if_wrong()
    migration.load(consent="happy-otter-123").raise_if_wrong()
    migration.verify().raise_if_wrong()

docs/reference/python.md has examples and lists everything public, which is `__all__`. Names are
imported lazily, on first use, so that `import stages` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.assess.assessment import (
        AssessedTable,
        Assessment,
        Bucket,
        Cost,
        LargeColumn,
        Rebuild,
        Risk,
        Users,
    )
    from stages.consent import Consent, ConsentRequired, Declined, Question
    from stages.decisions import Todo
    from stages.errors import (
        FileError,
        OverLimit,
        SettingError,
        Shortfall,
        StagesError,
        Stopped,
        TooManyRejects,
        UserError,
    )
    from stages.events import Event, OnEvent, log_events
    from stages.extract.forecast import Forecast
    from stages.init.drift import Change
    from stages.init.result import Addition, ByHand, InitResult
    from stages.migration import Migration
    from stages.page.file import PageFile
    from stages.page.model import Page
    from stages.page.server import PageServer
    from stages.probe.findings import Finding
    from stages.rejects import RejectCause, RejectGroup, RejectReason
    from stages.results import (
        Checked,
        CheckResult,
        Extracted,
        Loaded,
        LoadForecast,
        Probed,
        Report,
        RolledBack,
        TableExtracted,
        TableForecast,
        TableLoaded,
        TableRolledBack,
        TableTransformed,
        TableVerified,
        Transformed,
        Verified,
    )
    from stages.show.model_lines import ModelLines
    from stages.show.shown import (
        Referrers,
        Shown,
        ShownChange,
        ShownField,
        ShownReference,
        ShownReject,
        SourceValue,
    )
    from stages.sql_session import SqlSession
    from stages.standing import (
        ExtractStatus,
        LastRun,
        LoadStatus,
        RunningCommand,
        Status,
        TableStatus,
        TransformStatus,
        VerifyStatus,
    )

__all__ = [
    "Addition",
    "AssessedTable",
    "Assessment",
    "Bucket",
    "ByHand",
    "Change",
    "CheckResult",
    "Checked",
    "Consent",
    "ConsentRequired",
    "Cost",
    "Declined",
    "Event",
    "ExtractStatus",
    "Extracted",
    "FileError",
    "Finding",
    "Forecast",
    "InitResult",
    "LargeColumn",
    "LastRun",
    "LoadForecast",
    "LoadStatus",
    "Loaded",
    "Migration",
    "ModelLines",
    "OnEvent",
    "OverLimit",
    "Page",
    "PageFile",
    "PageServer",
    "Probed",
    "Question",
    "Rebuild",
    "Referrers",
    "RejectCause",
    "RejectGroup",
    "RejectReason",
    "Report",
    "Risk",
    "RolledBack",
    "RunningCommand",
    "SettingError",
    "Shortfall",
    "Shown",
    "ShownChange",
    "ShownField",
    "ShownReference",
    "ShownReject",
    "SourceValue",
    "SqlSession",
    "StagesError",
    "Status",
    "Stopped",
    "TableExtracted",
    "TableForecast",
    "TableLoaded",
    "TableRolledBack",
    "TableStatus",
    "TableTransformed",
    "TableVerified",
    "Todo",
    "TooManyRejects",
    "TransformStatus",
    "Transformed",
    "UserError",
    "Users",
    "Verified",
    "VerifyStatus",
    "log_events",
]

# The module that defines each name; names not listed are in `results`.
_MODULES = {
    "Addition": "init.result",
    "AssessedTable": "assess.assessment",
    "Assessment": "assess.assessment",
    "Bucket": "assess.assessment",
    "ByHand": "init.result",
    "Change": "init.drift",
    "Consent": "consent",
    "ConsentRequired": "consent",
    "Cost": "assess.assessment",
    "Declined": "consent",
    "Event": "events",
    "ExtractStatus": "standing",
    "FileError": "errors",
    "Finding": "probe.findings",
    "Forecast": "extract.forecast",
    "InitResult": "init.result",
    "LargeColumn": "assess.assessment",
    "LastRun": "standing",
    "LoadStatus": "standing",
    "Migration": "migration",
    "ModelLines": "show.model_lines",
    "OnEvent": "events",
    "OverLimit": "errors",
    "Page": "page.model",
    "PageFile": "page.file",
    "PageServer": "page.server",
    "Question": "consent",
    "Rebuild": "assess.assessment",
    "Referrers": "show.shown",
    "RejectCause": "rejects",
    "Risk": "assess.assessment",
    "RejectGroup": "rejects",
    "RejectReason": "rejects",
    "RunningCommand": "standing",
    "SettingError": "errors",
    "Shortfall": "errors",
    "Shown": "show.shown",
    "ShownChange": "show.shown",
    "ShownField": "show.shown",
    "ShownReference": "show.shown",
    "ShownReject": "show.shown",
    "SourceValue": "show.shown",
    "SqlSession": "sql_session",
    "StagesError": "errors",
    "Status": "standing",
    "Stopped": "errors",
    "TableStatus": "standing",
    "Todo": "decisions",
    "TooManyRejects": "errors",
    "TransformStatus": "standing",
    "UserError": "errors",
    "Users": "assess.assessment",
    "VerifyStatus": "standing",
    "log_events": "events",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'results')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

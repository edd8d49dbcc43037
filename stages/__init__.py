"""Staged, checkpointing extract-transform-load from Supabase to Convex.

    from stages import Migration

    migration = Migration("~/shop", target="production")
    migration.extract()
    migration.transform().raise_if_wrong()
    migration.load(consent="happy-otter-123").raise_if_wrong()
    migration.verify().raise_if_wrong()

docs/python.md has the examples and the list of everything public, which is `__all__`. Each name is
imported when it is first used, so that `import stages` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.consent import Consent, Question
    from stages.errors import Declined, Shortfall, StagesError, Stopped, UserError
    from stages.events import Event, OnEvent, log_events
    from stages.extract.forecast import Forecast
    from stages.init.model import Todo
    from stages.init.run import Addition, InitResult
    from stages.migration import Migration
    from stages.rejects import RejectGroup
    from stages.results import (
        Checked,
        CheckResult,
        Extracted,
        Loaded,
        Report,
        RolledBack,
        TableExtracted,
        TableLoaded,
        TableRolledBack,
        TableTransformed,
        TableVerified,
        Transformed,
        Verified,
    )
    from stages.status import (
        ExtractStatus,
        LoadStatus,
        Status,
        TableStatus,
        TransformStatus,
        VerifyStatus,
    )

__all__ = [
    "Addition",
    "CheckResult",
    "Checked",
    "Consent",
    "Declined",
    "Event",
    "ExtractStatus",
    "Extracted",
    "Forecast",
    "InitResult",
    "LoadStatus",
    "Loaded",
    "Migration",
    "OnEvent",
    "Question",
    "RejectGroup",
    "Report",
    "RolledBack",
    "Shortfall",
    "StagesError",
    "Status",
    "Stopped",
    "TableExtracted",
    "TableLoaded",
    "TableRolledBack",
    "TableStatus",
    "TableTransformed",
    "TableVerified",
    "Todo",
    "TransformStatus",
    "Transformed",
    "UserError",
    "Verified",
    "VerifyStatus",
    "log_events",
]

# Where a name is defined, for all that are not results.
_MODULES = {
    "Addition": "init.run",
    "Consent": "consent",
    "Declined": "errors",
    "Event": "events",
    "ExtractStatus": "status",
    "Forecast": "extract.forecast",
    "InitResult": "init.run",
    "LoadStatus": "status",
    "Migration": "migration",
    "OnEvent": "events",
    "Question": "consent",
    "RejectGroup": "rejects",
    "Shortfall": "errors",
    "StagesError": "errors",
    "Status": "status",
    "Stopped": "errors",
    "TableStatus": "status",
    "Todo": "init.model",
    "TransformStatus": "status",
    "UserError": "errors",
    "VerifyStatus": "status",
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

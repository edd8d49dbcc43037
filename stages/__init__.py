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
    from stages.consent import Consent, ConsentRequired, Declined, Question
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
    from stages.init.model import Todo
    from stages.init.run import Addition, InitResult
    from stages.migration import Migration
    from stages.rejects import RejectGroup
    from stages.results import (
        Checked,
        CheckResult,
        Extracted,
        Loaded,
        LoadForecast,
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
    "ConsentRequired",
    "Declined",
    "Event",
    "ExtractStatus",
    "Extracted",
    "FileError",
    "Forecast",
    "InitResult",
    "LoadForecast",
    "LoadStatus",
    "Loaded",
    "Migration",
    "OnEvent",
    "OverLimit",
    "Question",
    "RejectGroup",
    "Report",
    "RolledBack",
    "SettingError",
    "Shortfall",
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
    "Verified",
    "VerifyStatus",
    "log_events",
]

# Where a name is defined, for all that are not results.
_MODULES = {
    "Addition": "init.run",
    "Consent": "consent",
    "ConsentRequired": "consent",
    "Declined": "consent",
    "Event": "events",
    "ExtractStatus": "status",
    "FileError": "errors",
    "Forecast": "extract.forecast",
    "InitResult": "init.run",
    "LoadStatus": "status",
    "Migration": "migration",
    "OnEvent": "events",
    "OverLimit": "errors",
    "Question": "consent",
    "RejectGroup": "rejects",
    "SettingError": "errors",
    "Shortfall": "errors",
    "StagesError": "errors",
    "Status": "status",
    "Stopped": "errors",
    "TableStatus": "status",
    "Todo": "init.model",
    "TooManyRejects": "errors",
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

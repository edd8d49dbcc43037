"""The HTTP side of a probe: every check of tables, Auth and Storage, read-only."""

from __future__ import annotations

from stages.probe import supabase_keys, supabase_pages, supabase_storage, supabase_types
from stages.probe.checks import Checks
from stages.probe.project import Project

CHECKS: tuple[Checks[Project], ...] = (
    supabase_keys.CHECKS,
    supabase_pages.CHECKS,
    supabase_types.CHECKS,
    supabase_storage.CHECKS,
)

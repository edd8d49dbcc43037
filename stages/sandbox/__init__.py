"""A whole Supabase and a whole Convex on this machine, for trying and testing.

`up` starts what is not running and returns the addresses; services outlive the command that started
them.
"""

from stages.sandbox.manager import deploy, down, psql, reset, status, up
from stages.sandbox.state import Running, SandboxDeployment, SandboxSource, State

__all__ = [
    "Running",
    "SandboxDeployment",
    "SandboxSource",
    "State",
    "deploy",
    "down",
    "psql",
    "reset",
    "status",
    "up",
]

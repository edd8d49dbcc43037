"""A whole Supabase and a whole Convex on this machine, for trying and testing.

`up` starts what does not run and says where it is; services outlive the command that started them.
"""

from stages.sandbox.manager import down, reset, status, up
from stages.sandbox.state import SandboxDeployment, SandboxSource, State

__all__ = ["SandboxDeployment", "SandboxSource", "State", "down", "reset", "status", "up"]

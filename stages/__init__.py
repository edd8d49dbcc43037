"""Staged, checkpointing extract-transform-load from Supabase to Convex."""

import os

# What Arrow allocates by, from its first import on. Its own choice keeps what is freed for each
# thread: half as much memory again for many small pages.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

"""Staged, checkpointing extract-transform-load from Supabase to Convex."""

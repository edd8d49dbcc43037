"""Tables that refer to one another, or to themselves: two passes, each checkpointed, once in all.

The staged files are made here; the functions that load them are the real ones.
"""

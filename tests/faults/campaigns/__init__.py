"""Campaigns of random faults: in a bounded form in test_campaigns.py, whole by `make soak`.

After each fault the same work is done again, undisturbed, and what is in Convex is compared with a
quiet run: what is lost, doubled or altered, and how many tracebacks were printed. All must be zero.
"""

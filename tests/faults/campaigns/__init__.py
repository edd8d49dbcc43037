"""Campaigns of random faults: bounded in test_campaigns.py, in full with `make soak`.

After each fault the same work is done again, undisturbed, and Convex is compared with a quiet run:
how many documents are lost, doubled or altered, and how many tracebacks were printed. All must be
zero.
"""

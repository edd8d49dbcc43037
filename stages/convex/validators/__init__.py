"""Convex validators → SQL over encoded JSON: what is wrong, what it refers to, rewritten."""

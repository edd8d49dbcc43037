"""Proof that what was moved is there, and the way back."""

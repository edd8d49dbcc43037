"""The only code that knows where staged files are, and changes them."""

"""One row's whole way: from its source values to what Convex has of it now."""

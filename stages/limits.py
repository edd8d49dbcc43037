"""Convex's limits on documents, defined once, as in Convex's own code."""

from __future__ import annotations

# A document with its system fields, measured as Convex measures sizes.
DOCUMENT_BYTES = 1 << 20
# What `_id` (32 characters) and `_creationTime` add to a document.
SYSTEM_FIELDS_BYTES = 38 + 23
# A document with no fields of its own: an object and the system fields.
EMPTY_DOCUMENT_BYTES = 2 + SYSTEM_FIELDS_BYTES
ARRAY_ITEMS = 8192
OBJECT_FIELDS = 1024
# Characters in a field name, nested fields included.
FIELD_NAME_LENGTH = 1024
# Nesting levels of objects and arrays; the document itself is the first.
DOCUMENT_NESTING = 16

"""Convex's limits, once: what a document may be, as Convex' own code has it."""

from __future__ import annotations

# A document with its system fields, by Convex' own measure of sizes.
DOCUMENT_BYTES = 1 << 20
# What `_id` (32 characters) and `_creationTime` add to a document.
SYSTEM_FIELDS_BYTES = 38 + 23
# What a document without a field of its own has: an object, and the system fields.
EMPTY_DOCUMENT_BYTES = 2 + SYSTEM_FIELDS_BYTES
ARRAY_ITEMS = 8192
OBJECT_FIELDS = 1024
# Characters of a field's name, also of one inside of a document.
FIELD_NAME_LENGTH = 1024
# Levels of objects and arrays; the document itself is the first.
DOCUMENT_NESTING = 16

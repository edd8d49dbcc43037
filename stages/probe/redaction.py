"""Redact errors: the report of a probe is pasted where strangers read it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from stages.convex.client import LIMIT, FunctionError, OtherAnswer, Unreached
from stages.errors import StagesError

MOST_WORDS = 200
NO_ANSWER = "no answer"
# Codes of the loading functions' own ConvexErrors; other codes may contain anything.
CODES = {"DuplicateSourceId", "UnknownTable"}
CODE = re.compile(r"[A-Z][A-Za-z0-9]{2,47}")
# What may identify a function's error; the rest of its message may contain values.
KNOWN = re.compile(
    r"Could not find \w+ function|ArgumentValidationError|SchemaEnforcementError|"
    r"does not match the schema|Value is too large|too large|OperationNotPermitted|"
    r"[A-Z][a-zA-Z]{2,40}Error"
)


class Redaction:
    """Removes names and addresses from text: `hidden` is text → its replacement."""

    def __init__(self, hidden: Mapping[str, str]) -> None:
        # Longest first: a name may be part of another.
        self._hidden = sorted(hidden.items(), key=lambda item: -len(item[0]))

    def words(self, error: StagesError) -> str:
        """Describe an error without any value, name, address or key."""
        if isinstance(error, FunctionError):
            return f"an error of the function: {kind_of(error)}"
        if isinstance(error, OtherAnswer):
            return "an answer that does not fit the request"
        if isinstance(error, Unreached):
            return NO_ANSWER
        return self.clean(error.message)

    def clean(self, text: str) -> str:
        for hidden, shown in self._hidden:
            text = text.replace(hidden, shown)
        # Addresses that a server mentions.
        text = re.sub(r"https?://[^\s,;'\"]+", "<address>", text)
        return text if len(text) <= MOST_WORDS else text[:MOST_WORDS] + "…"


def kind_of(error: FunctionError) -> str:
    """The kind of error, in a few words that never contain a value."""
    if error.code in CODES:
        return str(error.code)
    known = KNOWN.search(error.words) or LIMIT.search(error.words)
    return known[0] if known else "a message that stages does not know"


def code_of(content: bytes) -> str:
    """The `code` in an error's JSON, if it looks like one."""
    try:
        code = json.loads(content)["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "without a code"
    return code if isinstance(code, str) and CODE.fullmatch(code) else "with another code"


def hosts_of(*urls: str | None) -> dict[str, str]:
    """Addresses and their hosts, in the form that Redaction takes."""
    hidden: dict[str, str] = {}
    for url in urls:
        if url:
            hidden |= {url: "<address>", urlsplit(url).netloc: "<address>"}
            if host := urlsplit(url).hostname:
                hidden[host] = "<address>"
    return hidden

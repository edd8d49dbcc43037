"""Synonyms that applications use, and words that describe the form of a value."""

from __future__ import annotations

# Synonyms: the first of each line stands for all.
SAME = {
    word: group[0]
    for group in (
        ("verified", "verification", "confirmed", "confirmation", "verify", "confirm"),
        ("created", "creation", "inserted", "added", "joined", "registered"),
        ("updated", "modified", "changed", "edited"),
        ("deleted", "removed", "trashed"),
        ("image", "img", "picture", "photo", "avatar"),
        ("phone", "telephone", "mobile", "tel"),
        ("description", "desc", "descr"),
        ("name", "title", "label", "headline", "heading"),
        ("body", "content", "text", "contents"),
        ("kind", "type"),
        ("status", "state"),
        ("order", "position", "sort", "rank", "pos", "ordering"),
        ("quantity", "qty"),
        ("amount", "amt"),
        ("enabled", "active"),
        ("organization", "org"),
        ("address", "addr"),
        ("message", "msg"),
        ("language", "lang", "locale"),
        ("author", "creator"),
        ("website", "homepage"),
        ("started", "start", "starts", "begin", "begins"),
        ("ended", "end", "ends", "finish"),
        ("expired", "expires", "expiry", "expiration", "expire"),
        ("lat", "latitude"),
        ("lng", "lon", "long", "longitude"),
        ("min", "minimum"),
        ("max", "maximum"),
        ("data", "payload"),
        ("region", "province"),
        ("zip", "postcode", "postalcode", "zipcode"),
        ("mime", "mimetype", "contenttype", "mediatype"),
        ("category", "cat"),
        ("number", "num", "no"),
        ("reference", "ref"),
    )
    for word in group
}
# British spellings and their American ones.
SPELLINGS = {
    "favourite": "favorite", "colour": "color", "flavour": "flavor", "neighbour": "neighbor",
    "neighbourhood": "neighborhood", "behaviour": "behavior", "honour": "honor", "labour": "labor",
    "organisation": "organization", "organiser": "organizer", "catalogue": "catalog",
    "dialogue": "dialog", "centre": "center", "theatre": "theater", "metre": "meter",
    "litre": "liter", "licence": "license", "programme": "program", "cheque": "check",
    "grey": "gray", "tyre": "tire", "jewellery": "jewelry", "enquiry": "inquiry",
    "fulfilment": "fulfillment", "enrolment": "enrollment", "instalment": "installment",
    "cancelled": "canceled", "labelled": "labeled", "travelled": "traveled",
    "authorised": "authorized", "authorisation": "authorization", "categorised": "categorized",
}  # fmt: skip
# Two words that mean one.
PHRASES = {
    ("postal", "code"): "zip",
    ("post", "code"): "zip",
    ("zip", "code"): "zip",
    ("mime", "type"): "mime",
    ("content", "type"): "mime",
    ("time", "zone"): "timezone",
    ("user", "name"): "username",
}
# Words that add nothing to a name.
STOP = {"the", "a", "an", "of", "in"}
# Each unit and its other names.
UNITS = {
    "cents": ("cent",), "milliseconds": ("ms", "millis"), "seconds": ("second", "secs", "sec"),
    "minutes": ("minute", "mins"), "hours": ("hour",), "days": ("day",), "bytes": ("byte",),
    "kb": (), "mb": (), "percent": ("percentage", "pct"), "grams": ("gram",), "kg": (), "cm": (),
    "mm": (), "meters": ("metres",), "km": (),
}  # fmt: skip
# Words for a value's form, not for what it is about: two names must only not contradict each other.
FORMS = {
    **dict.fromkeys(("at", "on", "time", "date", "timestamp", "ts"), "time"),
    **dict.fromkeys(("id", "ids", "uuid", "key"), "id"),
    **dict.fromkeys(("url", "uri", "href", "src", "link"), "url"),
    **dict.fromkeys(("count", "total", "number", "n"), "count"),
    **dict.fromkeys(("is", "has", "flag"), "flag"),
    **dict.fromkeys(("html", "markdown", "md", "raw"), "markup"),
    **{word: unit for unit, others in UNITS.items() for word in (unit, *others)},
}
# Forms that mean nothing by themselves: names that share only these are not alike.
PLAIN_FORMS = {"id", "at", "on", "is", "has", "n", "count", "ms"}

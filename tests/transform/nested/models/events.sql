SELECT
    key(id) AS _source_id,
    kind,
    ref('users', "user") AS "user",
    ref('files', file) AS file,
    "at",
    size
FROM extract.events

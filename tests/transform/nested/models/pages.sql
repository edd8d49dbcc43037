SELECT
    key(id) AS _source_id,
    title,
    refs('users', pg_array(authors)) AS authors,
    blocks,
    shares,
    settings,
    owner,
    mixed,
    {
        'width': 1.25::DOUBLE,
        'height': CASE id WHEN 2 THEN 3 END,
        'raw': CASE id WHEN 1 THEN '\x00\xFF'::BLOB END,
        'big': 9007199254740993 + id,
        'special': ['nan'::DOUBLE, '-0.0'::DOUBLE, 'inf'::DOUBLE, 0.1],
        'nested': CASE id WHEN 1 THEN {'deep': [[true], [], [false, true]]} END
    } AS box,
    CASE id WHEN 1 THEN '2'::JSON WHEN 2 THEN 'true'::JSON END AS level
FROM extract.pages

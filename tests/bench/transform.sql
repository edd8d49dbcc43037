-- The benchmark's table as extract stages it, with two references and two more times: 16 columns, of
-- which the plain table takes 12. Every value comes of the row's number, as in table.sql. Run by
-- DuckDB with $first and $last.
SELECT
    i AS id,
    md5('uid' || i)::UUID AS uid,
    TIMESTAMPTZ '2020-01-01 00:00:00+00' + to_microseconds(i * 61000123) AS created_at,
    CASE WHEN i % 7 > 0 THEN TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_milliseconds(i * 17500) END
        AS updated_at,
    TIMESTAMPTZ '2024-02-01 00:00:00+00' + to_seconds(i * 3) AS started_at,
    CASE WHEN i % 5 > 0 THEN TIMESTAMPTZ '2024-02-01 00:15:00+00' + to_seconds(i * 3) END
        AS ended_at,
    left(md5('code' || i), 10) AS code,
    left(h || md5('body' || i) || md5('more' || i) || h, 100) AS body,
    ('{"hash": "' || h || '", "kind": "' || ['note', 'call', 'visit'][1 + i % 3]
        || '", "nested": {"ok": ' || (i % 2 = 0)::VARCHAR || ', "words": "' || left(h, 8) || ' '
        || left(h, 6) || '"}, "number": ' || (i % 100000)::VARCHAR || '}')::JSON AS payload,
    ((i * 7919 % 100000000) / 100)::DECIMAL(12, 2)::VARCHAR AS amount,
    (i % 10007)::INTEGER AS quantity,
    sqrt(i::DOUBLE) AS score,
    i % 3 = 0 AS active,
    '{t' || i % 50 || ',' || left(h, 4) || ',x}' AS tags,
    md5('account' || i % 20011)::UUID AS account_id,
    md5('workspace' || i % 307)::UUID AS workspace_id
FROM (SELECT i, md5(i::VARCHAR) AS h FROM range($first, $last + 1) t (i))

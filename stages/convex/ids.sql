-- Convex ids, set-wise. Text: Crockford base32 of a table's number (LEB128), 16 bytes, and a
-- little-endian fletcher16 (modulus 256) of all that. See ids.py, which does the same row by row.

-- The 16 bytes for a source key, `uuid` being try_cast(key AS UUID): a UUID's own, or the first of
-- a hash of `table:key`.
CREATE OR REPLACE TEMP MACRO internal_id(ref, key, uuid) AS
    CASE
        -- Only as Postgres writes it, so that no two keys have the same UUID.
        WHEN uuid::VARCHAR = key THEN uuid::UHUGEINT
        ELSE ('0x' || left(sha256(ref), 32))::UHUGEINT
    END;

CREATE OR REPLACE TEMP MACRO upper_half(x) AS (x >> 64)::UBIGINT;
CREATE OR REPLACE TEMP MACRO lower_half(x) AS
    (x & 18446744073709551615::UHUGEINT)::UBIGINT;

-- 10 bits as two characters. DuckDB treats the list as a constant.
CREATE OR REPLACE TEMP MACRO crockford(n) AS
    list_transform(
        range(0, 1024),
        lambda i: '0123456789abcdefghjkmnpqrstvwxyz'[i // 32 + 1]
            || '0123456789abcdefghjkmnpqrstvwxyz'[i % 32 + 1]
    )[n::BIGINT + 1];

-- Sums over the eight bytes of a half: plain, and with weights 8 for the first to 1 for the last.
CREATE OR REPLACE TEMP MACRO byte_sum(h) AS
    (h >> 56) + ((h >> 48) & 255) + ((h >> 40) & 255) + ((h >> 32) & 255)
    + ((h >> 24) & 255) + ((h >> 16) & 255) + ((h >> 8) & 255) + (h & 255);
CREATE OR REPLACE TEMP MACRO weighted_sum(h) AS
    8::UBIGINT * (h >> 56) + 7 * ((h >> 48) & 255) + 6 * ((h >> 40) & 255) + 5 * ((h >> 32) & 255)
    + 4 * ((h >> 24) & 255) + 3 * ((h >> 16) & 255) + 2 * ((h >> 8) & 255) + (h & 255);
-- fletcher16 of a number's bytes, whose own sums are `a` and `b`, and of 16 more; as written.
CREATE OR REPLACE TEMP MACRO footer(a, b, upper, lower) AS
    (((a + byte_sum(upper) + byte_sum(lower)) & 255) << 8)
    | ((b + 16 * a + 8 * byte_sum(upper) + weighted_sum(upper) + weighted_sum(lower)) & 255);

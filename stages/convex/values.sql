-- Convex's encoded JSON of values that plain JSON can't express, both ways.
-- Test vectors: NaN AAAAAAAA+H8=, -0 AAAAAAAAAIA=, 1 as int64 AQAAAAAAAAA=.

CREATE OR REPLACE TEMP MACRO encode_float(x) AS
    CASE
        WHEN isnan(x) THEN '{"$float":"AAAAAAAA+H8="}'
        WHEN isinf(x) AND x > 0 THEN '{"$float":"AAAAAAAA8H8="}'
        WHEN isinf(x) THEN '{"$float":"AAAAAAAA8P8="}'
        WHEN x = 0 AND signbit(x) THEN '{"$float":"AAAAAAAAAIA="}'
        -- Whole numbers without a dot, as JavaScript writes them; the same text on every version.
        WHEN abs(x) < 1e15 AND x = trunc(x) THEN x::BIGINT::VARCHAR
        ELSE to_json(x::DOUBLE)::VARCHAR
    END;

CREATE OR REPLACE TEMP MACRO decode_float(j) AS
    CASE json_type(j)
        WHEN 'OBJECT' THEN
            CASE j ->> '$."$float"'
                WHEN 'AAAAAAAA+H8=' THEN 'nan'::DOUBLE
                WHEN 'AAAAAAAA8H8=' THEN 'inf'::DOUBLE
                WHEN 'AAAAAAAA8P8=' THEN '-inf'::DOUBLE
                WHEN 'AAAAAAAAAIA=' THEN '-0.0'::DOUBLE
            END
        WHEN 'NULL' THEN NULL
        ELSE try_cast(j ->> '$' AS DOUBLE)
    END;

-- Two's complement, little-endian: the eight bytes of the big-endian hex, reversed.
CREATE OR REPLACE TEMP MACRO encode_int64(x) AS
    '{"$integer":"' || to_base64(unhex(regexp_replace(
        lpad(to_hex(x::BIGINT), 16, '0'),
        '(..)(..)(..)(..)(..)(..)(..)(..)',
        '\8\7\6\5\4\3\2\1'
    ))) || '"}';

CREATE OR REPLACE TEMP MACRO decode_int64(j) AS
    list_sum(list_transform(
        range(0, 8),
        lambda i: (('0x' || substr(hex(from_base64(j ->> '$."$integer"')), 1 + 2 * i, 2))::HUGEINT
            -- The eighth byte holds the sign.
            + CASE WHEN i = 7 AND from_base64(j ->> '$."$integer"')[8:8] >= '\x80'::BLOB
                THEN -256 ELSE 0 END)
            * (1::HUGEINT << (8 * i))
    ))::BIGINT;

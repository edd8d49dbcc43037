-- Convex's export JSON, the format of a snapshot's files: a number with a dot is a float64, one
-- without is an int64; bytes and non-finite numbers are wrapped as in encoded JSON.

CREATE OR REPLACE TEMP MACRO export_float(x) AS
    CASE
        WHEN isfinite(x) THEN
            CASE WHEN x = 0 AND signbit(x) THEN '-0.0' ELSE to_json(x::DOUBLE)::VARCHAR END
        ELSE encode_float(x)
    END;

-- Canonical encoded JSON, with a dot added to every float64. chr(1), which never occurs in JSON,
-- follows every token until it is known whether that is a number without dot and exponent.
CREATE OR REPLACE TEMP MACRO dotted(j) AS
    replace(
        regexp_replace(
            replace(
                regexp_replace(
                    j,
                    '"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?',
                    '\0' || chr(1),
                    'g'
                ),
                '"' || chr(1),
                '"'
            ),
            '([.eE][0-9+-]+)' || chr(1),
            '\1',
            'g'
        ),
        chr(1),
        '.0'
    );

-- The same, with wrapped int64s and -0 unwrapped; in a string, their quotes would be escaped.
CREATE OR REPLACE TEMP MACRO export_any(j) AS
    CASE
        WHEN contains(j, '{"$integer":"') THEN
            list_reduce(
                string_split(
                    replace(dotted(j), '{"$float":"AAAAAAAAAIA="}', '-0.0'), '{"$integer":"'
                ),
                lambda done, part: done
                    || decode_int64(('{"$integer":"' || left(part, 12) || '"}')::JSON)::VARCHAR
                    || substr(part, 15)
            )
        ELSE replace(dotted(j), '{"$float":"AAAAAAAAAIA="}', '-0.0')
    END;

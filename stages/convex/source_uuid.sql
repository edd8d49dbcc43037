-- The UUID that a Convex id was made from by `stages load --through import`, or NULL for what is
-- no id. An id that was made otherwise gives the 16 bytes that it holds.
CREATE OR REPLACE MACRO source_uuid(id) AS
    CASE
        WHEN NOT regexp_full_match(id, '[0-9a-hjkmnp-tv-z]{31,37}') THEN NULL
        ELSE hex(substr(
            array_to_string(list_transform(
                string_split(id, ''),
                lambda c: format('{:05b}', strpos('0123456789abcdefghjkmnpqrstvwxyz', c) - 1)
            ), ''),
            -- The number before it has one byte in 31 characters, and five in 37.
            1 + 8 * (length(id) * 5 // 8 - 18),
            128
        )::BIT::BLOB)::UUID
    END;

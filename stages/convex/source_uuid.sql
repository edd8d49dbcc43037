-- The UUID from which `stages load --through import` made a Convex id, or NULL for anything that is
-- not an id. For an id made in another way, the 16 bytes that it holds.
CREATE OR REPLACE MACRO source_uuid(id) AS
    CASE
        WHEN NOT regexp_full_match(id, '[0-9a-hjkmnp-tv-z]{31,37}') THEN NULL
        ELSE hex(substr(
            array_to_string(list_transform(
                string_split(id, ''),
                lambda c: format('{:05b}', strpos('0123456789abcdefghjkmnpqrstvwxyz', c) - 1)
            ), ''),
            -- The table's number, before it, has one byte in 31 characters, and five in 37.
            1 + 8 * (length(id) * 5 // 8 - 18),
            128
        )::BIT::BLOB)::UUID
    END;

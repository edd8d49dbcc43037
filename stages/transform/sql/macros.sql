-- The macros that a model may use; they are in data/stages.duckdb too, so that a model runs as it
-- is in the duckdb shell. None depends on the TimeZone of the machine.

-- Milliseconds since 1970 of a DATE, TIMESTAMP or TIMESTAMPTZ, floored towards the past. An
-- infinity becomes a number that no v.number() field takes, so that its row is rejected.
CREATE OR REPLACE MACRO to_ms(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN 9223372036854775807
        ELSE (epoch_us(moment) - ((epoch_us(moment) % 1000) + 1000) % 1000) // 1000
    END;

-- The year of a TIMESTAMP as JavaScript's Date writes and reads it: 2024, +012345, -000043.
CREATE OR REPLACE MACRO iso_year(moment) AS
    CASE
        WHEN year(moment) BETWEEN 0 AND 9999 THEN strftime(moment, '%Y')
        ELSE printf('%+07d', year(moment))
    END;

-- ISO text with milliseconds and Z, such as 2024-02-29T12:34:56.123Z.
CREATE OR REPLACE MACRO to_iso(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN error('to_iso: infinity has no ISO text; use CASE in the model')
        ELSE iso_year(make_timestamp(epoch_us(moment)))
            || strftime(make_timestamp(epoch_us(moment)), '-%m-%dT%H:%M:%S.%gZ')
    END;

-- The day of a DATE, or of a moment at UTC, such as 2024-02-29.
CREATE OR REPLACE MACRO to_day(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN error('to_day: infinity has no day; use CASE in the model')
        ELSE iso_year(make_timestamp(epoch_us(moment)))
            || strftime(make_timestamp(epoch_us(moment)), '-%m-%d')
    END;

-- A row's key as one text: the value itself, or a JSON array of several.
CREATE OR REPLACE MACRO "key"
    (a) AS a::VARCHAR,
    (a, b) AS to_json([a::VARCHAR, b::VARCHAR])::VARCHAR,
    (a, b, c) AS to_json([a::VARCHAR, b::VARCHAR, c::VARCHAR])::VARCHAR,
    (a, b, c, d) AS to_json([a::VARCHAR, b::VARCHAR, c::VARCHAR, d::VARCHAR])::VARCHAR;

-- A reference to the document of another Convex table, by its source key. Looks nothing up.
CREATE OR REPLACE MACRO ref(convex_table, source_key) AS
    convex_table || ':' || source_key::VARCHAR;

-- A list of references, in order.
CREATE OR REPLACE MACRO refs(convex_table, source_keys) AS
    list_transform(source_keys, lambda source_key: convex_table || ':' || source_key::VARCHAR);

-- Postgres' text of a one-dimensional array, such as {a,"b c",NULL}, as a list of texts.
CREATE OR REPLACE MACRO pg_array(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN literal LIKE '[%' OR literal LIKE '{{%'
            THEN error('pg_array: ' || literal || ' has several dimensions or an odd lower bound')
        WHEN literal = '{}' THEN []::VARCHAR[]
        ELSE list_transform(
            regexp_extract_all(literal[2:-2], '"(?:[^"\\]|\\.)*"|[^,]+'),
            lambda item: CASE
                WHEN item = 'NULL' THEN NULL
                WHEN starts_with(item, '"') THEN regexp_replace(item[2:-2], '\\(.)', '\1', 'gs')
                ELSE item
            END)
    END;

-- The macros that a model may use; they are in data/stages.duckdb too, so that a model runs as it
-- is in the duckdb shell. None depends on the TimeZone of the machine. docs/models.md shows each.
-- What has no form in the target becomes a mark that no data has, and its row a reject.

-- ── times ──────────────────────────────────────────────────────────────────────────────────

-- Milliseconds since 1970 of a DATE, TIMESTAMP or TIMESTAMPTZ, floored towards the past. An
-- infinity becomes a number that no field takes, so that its row is rejected.
CREATE OR REPLACE MACRO to_ms(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN 9223372036854775807
        ELSE (epoch_us(moment) - ((epoch_us(moment) % 1000) + 1000) % 1000) // 1000
    END;

-- Whole seconds since 1970, likewise.
CREATE OR REPLACE MACRO to_unix(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN 9223372036854775807
        ELSE (epoch_us(moment) - ((epoch_us(moment) % 1000000) + 1000000) % 1000000) // 1000000
    END;

-- The text that keeps a row out, by a rule. No text of Postgres has a zero byte.
CREATE OR REPLACE MACRO no_text(rule) AS chr(0) || rule || chr(0);

-- The year of a TIMESTAMP as JavaScript's Date writes and reads it: 2024, +012345, -000043.
CREATE OR REPLACE MACRO iso_year(moment) AS
    CASE
        WHEN year(moment) BETWEEN 0 AND 9999 THEN strftime(moment, '%Y')
        ELSE printf('%+07d', year(moment))
    END;

-- A moment as text by a format; infinities, and what JavaScript's Date can't hold, keep it out.
CREATE OR REPLACE MACRO iso_text(moment, format) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN no_text('infinite_time')
        WHEN epoch_us(moment) NOT BETWEEN -8640000000000000000 AND 8640000000000000999
            THEN no_text('time_out_of_range')
        ELSE iso_year(make_timestamp(epoch_us(moment)))
            || strftime(make_timestamp(epoch_us(moment)), format)
    END;

-- ISO text with milliseconds and Z, such as 2024-02-29T12:34:56.123Z.
CREATE OR REPLACE MACRO to_iso(moment) AS iso_text(moment, '-%m-%dT%H:%M:%S.%gZ');

-- The day of a DATE, or of a moment at UTC, such as 2024-02-29.
CREATE OR REPLACE MACRO to_day(moment) AS iso_text(moment, '-%m-%d');

-- The time of day of a moment at UTC, such as 12:34:56.123.
CREATE OR REPLACE MACRO to_time(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN no_text('infinite_time')
        ELSE strftime(make_timestamp(epoch_us(moment)), '%H:%M:%S.%g')
    END;

-- Milliseconds since midnight of Postgres' text of a time, floored; 24:00:00 is 86400000.
-- The offset of a timetz is left out.
CREATE OR REPLACE MACRO time_ms(literal) AS
    literal[1:2]::BIGINT * 3600000 + literal[4:5]::BIGINT * 60000
    + literal[7:8]::BIGINT * 1000
    + rpad(regexp_extract(literal, '\.(\d{1,3})', 1), 3, '0')::BIGINT;

-- ── keys and references ────────────────────────────────────────────────────────────────────

-- A value of a key as text; of a TIMESTAMPTZ that at UTC, as in every zone.
CREATE OR REPLACE MACRO key_text(a) AS
    CASE
        WHEN typeof(a) = 'TIMESTAMP WITH TIME ZONE'
            THEN coalesce(
                make_timestamp(epoch_us(try_cast(a AS TIMESTAMPTZ)))::VARCHAR || '+00', a::VARCHAR)
        ELSE a::VARCHAR
    END;

-- A JSON array of the texts of several values; NULL where one of them is, as in Postgres.
CREATE OR REPLACE MACRO key_list(texts) AS
    CASE WHEN NOT list_contains(list_transform(texts, lambda t: t IS NULL), true)
        THEN to_json(texts)::VARCHAR END;

-- A row's key as one text: the value itself, or a JSON array of several. For more than eight:
-- key_list([key_text(a), key_text(b), …]).
CREATE OR REPLACE MACRO "key"
    (a) AS key_text(a),
    (a, b) AS key_list([key_text(a), key_text(b)]),
    (a, b, c) AS key_list([key_text(a), key_text(b), key_text(c)]),
    (a, b, c, d) AS key_list([key_text(a), key_text(b), key_text(c), key_text(d)]),
    (a, b, c, d, e) AS
        key_list([key_text(a), key_text(b), key_text(c), key_text(d), key_text(e)]),
    (a, b, c, d, e, f) AS
        key_list([key_text(a), key_text(b), key_text(c), key_text(d), key_text(e), key_text(f)]),
    (a, b, c, d, e, f, g) AS
        key_list([key_text(a), key_text(b), key_text(c), key_text(d), key_text(e), key_text(f),
            key_text(g)]),
    (a, b, c, d, e, f, g, h) AS
        key_list([key_text(a), key_text(b), key_text(c), key_text(d), key_text(e), key_text(f),
            key_text(g), key_text(h)]);

-- A reference to the document of another Convex table, by its source key. Looks nothing up.
CREATE OR REPLACE MACRO ref(convex_table, source_key) AS
    convex_table || ':' || key_text(source_key);

-- A list of references, in order.
CREATE OR REPLACE MACRO refs(convex_table, source_keys) AS
    list_transform(source_keys, lambda source_key: convex_table || ':' || key_text(source_key));

-- ── numbers, vectors, arrays ───────────────────────────────────────────────────────────────

-- A DOUBLE that keeps its row out: the one NaN that no text and no column of Postgres gives.
-- Calculations carry it on.
CREATE OR REPLACE MACRO no_number() AS -('nan'::DOUBLE);

-- The digits of a number's text, without sign, dot, exponent, and zeros at both ends.
CREATE OR REPLACE MACRO significant(literal) AS
    trim(regexp_replace(regexp_replace(literal, '[eE].*$', ''), '[-.]', '', 'g'), '0');

-- A DOUBLE from Postgres' text of a numeric. What a float64 does not hold, digit for digit, is a
-- reject, and so is what is no number; NaN and the infinities are values.
CREATE OR REPLACE MACRO to_number(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN literal IN ('NaN', 'Infinity', '-Infinity') THEN literal::DOUBLE
        WHEN NOT regexp_full_match(literal, '-?\d+(\.\d+)?([eE][-+]?\d+)?') THEN no_number()
        WHEN length(literal) <= 15 AND NOT contains(lower(literal), 'e') THEN literal::DOUBLE
        WHEN significant(literal) <> significant(literal::DOUBLE::VARCHAR) THEN no_number()
        ELSE literal::DOUBLE
    END;

-- pgvector's text, such as [1,2.5,3], as a list of DOUBLE.
CREATE OR REPLACE MACRO pg_vector(literal) AS literal::DOUBLE[];

-- Postgres' text of a one-dimensional array, such as {a,"b c",NULL}, as a list of texts.
CREATE OR REPLACE MACRO pg_array(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN literal LIKE '[%' OR literal LIKE '{{%'
            THEN error('pg_array: ' || literal || ' has several dimensions or an odd lower bound')
        WHEN literal = '{}' THEN []::VARCHAR[]
        -- Most have neither quotes nor nulls.
        WHEN NOT contains(literal, '"') AND NOT contains(literal, 'NULL')
            THEN string_split(literal[2:-2], ',')
        ELSE list_transform(
            regexp_extract_all(literal[2:-2], '"(?:[^"\\]|\\.)*"|[^,]+'),
            lambda item: CASE
                WHEN item = 'NULL' THEN NULL
                WHEN starts_with(item, '"') THEN regexp_replace(item[2:-2], '\\(.)', '\1', 'gs')
                ELSE item
            END)
    END;

-- The macros that a model may use. They are in data/stages.duckdb too, so that a model runs
-- unchanged in the duckdb shell. None depends on the machine's time zone. docs/reference/models.md
-- shows each. A value that has no form in the target is an error, and its row a reject; in
-- stages.duckdb it is NULL.

-- The error for a value that a macro can't convert, which names the rule and the value. It is a
-- cast, because TRY does not catch error().
CREATE OR REPLACE MACRO no_value(rule, given) AS (rule || ': ' || given::VARCHAR)::BIGINT;

-- ── times ──────────────────────────────────────────────────────────────────────────────────

-- Milliseconds since 1970 of a DATE, TIMESTAMP or TIMESTAMPTZ, floored towards the past; fails for
-- infinity.
CREATE OR REPLACE MACRO to_ms(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN no_value('infinite_time', moment)
        ELSE (epoch_us(moment) - ((epoch_us(moment) % 1000) + 1000) % 1000) // 1000
    END;

-- Whole seconds since 1970 of a DATE, TIMESTAMP or TIMESTAMPTZ, floored towards the past; fails for
-- infinity.
CREATE OR REPLACE MACRO to_unix(moment) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN no_value('infinite_time', moment)
        ELSE (epoch_us(moment) - ((epoch_us(moment) % 1000000) + 1000000) % 1000000) // 1000000
    END;

-- The year of a TIMESTAMP as JavaScript's Date writes and reads it: 2024, +012345, -000043.
CREATE OR REPLACE MACRO iso_year(moment) AS
    CASE
        WHEN year(moment) BETWEEN 0 AND 9999 THEN strftime(moment, '%Y')
        ELSE printf('%+07d', year(moment))
    END;

-- A moment as text in a format; fails for infinity, and outside the range of JavaScript's Date.
CREATE OR REPLACE MACRO iso_text(moment, format) AS
    CASE
        WHEN moment IS NULL THEN NULL
        WHEN isinf(moment) THEN no_value('infinite_time', moment)::VARCHAR
        WHEN epoch_us(moment) NOT BETWEEN -8640000000000000000 AND 8640000000000000999
            THEN no_value('time_out_of_range', moment)::VARCHAR
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
        WHEN isinf(moment) THEN no_value('infinite_time', moment)::VARCHAR
        ELSE strftime(make_timestamp(epoch_us(moment)), '%H:%M:%S.%g')
    END;

-- Milliseconds east of UTC of the offset at the end of a timetz, such as +05:30 or -08; 0 if none.
CREATE OR REPLACE MACRO offset_ms(literal) AS
    list_sum(list_transform(
        string_split(regexp_extract(literal, '[-+](\d+(:\d+)*)$', 1), ':'),
        lambda part, place: coalesce(try_cast(part AS BIGINT), 0) * [3600000, 60000, 1000][place]
    )) * CASE WHEN regexp_matches(literal, '-[\d:]+$') THEN -1 ELSE 1 END;

-- Milliseconds since midnight of the text of a time, without regard to its offset.
CREATE OR REPLACE MACRO clock_ms(literal) AS
    literal[1:2]::BIGINT * 3600000 + literal[4:5]::BIGINT * 60000 + literal[7:8]::BIGINT * 1000
    + rpad(regexp_extract(literal, '\.(\d{1,3})', 1), 3, '0')::BIGINT;

-- Microseconds of days and a time, as Postgres writes them in an interval.
CREATE OR REPLACE MACRO interval_us(literal) AS
    coalesce(try_cast(regexp_extract(literal, '([-+]?\d+) day', 1) AS HUGEINT), 0) * 86400000000
    + CASE WHEN regexp_matches(literal, '-\d+:') THEN -1 ELSE 1 END * (
        coalesce(try_cast(regexp_extract(literal, '(\d+):', 1) AS HUGEINT), 0) * 3600000000
        + coalesce(try_cast(regexp_extract(literal, ':(\d\d):', 1) AS HUGEINT), 0) * 60000000
        + coalesce(try_cast(regexp_extract(literal, ':(\d\d)(\.|$)', 1) AS HUGEINT), 0) * 1000000
        + rpad(regexp_extract(literal, '\.(\d{1,6})', 1), 6, '0')::HUGEINT
    );

-- Milliseconds since midnight of Postgres' text of a time, floored; 24:00:00 is 86400000.
-- A timetz is converted to UTC, so that 12:00:00+05:30 and 06:30:00+00 give the same.
CREATE OR REPLACE MACRO time_ms(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN NOT regexp_full_match(literal, '\d\d:\d\d:\d\d(\.\d+)?([-+][\d:]+)?')
            THEN no_value('invalid_time', literal)
        WHEN NOT contains(literal, '+') AND NOT contains(literal, '-') THEN clock_ms(literal)
        WHEN offset_ms(literal) = 0 THEN clock_ms(literal)
        ELSE (clock_ms(literal) - offset_ms(literal) + 2 * 86400000) % 86400000
    END;

-- Seconds of Postgres' text of an interval, such as -1 days +02:03:00; a day has 24 hours. Fails
-- for months and years, which have no fixed length, and for what a float64 can't hold exactly.
CREATE OR REPLACE MACRO interval_seconds(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN NOT regexp_full_match(literal, '([-+]?\d+ days?)? ?([-+]?\d+:\d\d:\d\d(\.\d+)?)?')
                OR trim(literal) = ''
            THEN no_value('inexact_interval', literal)::DOUBLE
        WHEN abs(interval_us(literal)) > 9007199254740992
            THEN no_value('inexact_interval', literal)::DOUBLE
        ELSE interval_us(literal) / 1000000
    END;

-- ── keys and references ────────────────────────────────────────────────────────────────────

-- A key's value as text; a TIMESTAMPTZ at UTC, whatever the session's time zone.
CREATE OR REPLACE MACRO key_text(a) AS
    CASE
        WHEN typeof(a) = 'TIMESTAMP WITH TIME ZONE'
            THEN coalesce(
                make_timestamp(epoch_us(try_cast(a AS TIMESTAMPTZ)))::VARCHAR || '+00', a::VARCHAR)
        ELSE a::VARCHAR
    END;

-- A JSON array of the texts of several values; NULL if one of them is, as in Postgres.
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

-- The digits of a number's text, without sign, dot, exponent, and zeros at both ends.
CREATE OR REPLACE MACRO significant(literal) AS
    trim(regexp_replace(regexp_replace(literal, '[eE].*$', ''), '[-.]', '', 'g'), '0');

-- A DOUBLE from Postgres' text of a numeric. Fails for what a float64 can't hold exactly,
-- and for what is not a number; NaN and the infinities are accepted.
CREATE OR REPLACE MACRO to_number(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN literal IN ('NaN', 'Infinity', '-Infinity') THEN literal::DOUBLE
        WHEN NOT regexp_full_match(literal, '-?\d+(\.\d+)?([eE][-+]?\d+)?') THEN no_value('inexact_number', literal)::DOUBLE
        WHEN length(literal) <= 15 AND NOT contains(lower(literal), 'e') THEN literal::DOUBLE
        WHEN significant(literal) <> significant(literal::DOUBLE::VARCHAR) THEN no_value('inexact_number', literal)::DOUBLE
        ELSE literal::DOUBLE
    END;

-- A BIGINT from the text of a whole number. Fails for other numbers, and outside the int64 range.
CREATE OR REPLACE MACRO to_int64(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN NOT regexp_full_match(literal, '-?\d+(\.0*)?')
                OR try_cast(split_part(literal, '.', 1) AS BIGINT) IS NULL
            THEN no_value('not_int64', literal)
        ELSE split_part(literal, '.', 1)::BIGINT
    END;

-- Whether a text is money in the form of -$1,234.56.
CREATE OR REPLACE MACRO is_money(literal) AS
    regexp_full_match(literal, '-?[^\d.,-]*\d{1,3}(,\d{3})*\.\d\d');

-- A DOUBLE from Postgres' text of money, with lc_monetary = 'C' or 'en_US': -$1,234.56. Fails for
-- other forms, whose comma may be the decimal point, and for what a float64 can't hold exactly.
CREATE OR REPLACE MACRO money_number(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN NOT is_money(literal) THEN no_value('invalid_money', literal)::DOUBLE
        ELSE to_number(regexp_replace(literal, '[^-0-9.]', '', 'g'))
    END;

-- pgvector's text, such as [1,2.5,3], as a list of DOUBLE.
CREATE OR REPLACE MACRO pg_vector(literal) AS literal::DOUBLE[];

-- The text of an array without its lower bounds, which a list does not have: [0:1]={a,b} is {a,b}.
CREATE OR REPLACE MACRO without_bounds(literal) AS
    CASE WHEN starts_with(literal, '[') THEN regexp_replace(literal, '^(\[-?\d+:-?\d+\])+=', '')
        ELSE literal END;

-- The items of the text of a one-dimensional array.
CREATE OR REPLACE MACRO array_items(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
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

-- Postgres' text of a one-dimensional array, such as {a,"b c",NULL}, as a list of texts.
CREATE OR REPLACE MACRO pg_array(literal) AS
    CASE
        WHEN without_bounds(literal) LIKE '{{%'
            THEN no_value('array_dimensions', literal)::VARCHAR::VARCHAR[]
        WHEN without_bounds(literal) NOT LIKE '{%'
            THEN no_value('invalid_array', literal)::VARCHAR::VARCHAR[]
        ELSE array_items(without_bounds(literal))
    END;

-- Postgres' text of a two-dimensional array, such as {{a,b},{c,d}}, as a list of lists of texts.
CREATE OR REPLACE MACRO pg_array_2d(literal) AS
    CASE
        WHEN literal IS NULL THEN NULL
        WHEN without_bounds(literal) = '{}' THEN []::VARCHAR[][]
        WHEN without_bounds(literal) NOT LIKE '{{%' OR without_bounds(literal) LIKE '{{{%'
            THEN no_value('array_dimensions', literal)::VARCHAR::VARCHAR[][]
        ELSE list_transform(
            regexp_extract_all(
                without_bounds(literal)[2:-2], '\{(?:"(?:[^"\\]|\\.)*"|[^"{}])*\}'),
            lambda line: array_items(line))
    END;

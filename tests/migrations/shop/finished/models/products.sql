SELECT
    key(id) AS _source_id,
    title,
    ref('brands', brand) AS brand,
    pg_array(labels) AS labels,
    to_number(price) AS price
FROM extract.products

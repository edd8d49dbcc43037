SELECT
    key(id) AS _source_id,
    title,
    ref('brands', brand) AS brand,
    to_number(price) AS price
FROM extract.products

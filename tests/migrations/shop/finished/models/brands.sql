SELECT
    key(brand) AS _source_id,
    brand AS name,
    count(*)::DOUBLE AS products
FROM extract.products
WHERE brand IS NOT NULL
GROUP BY brand

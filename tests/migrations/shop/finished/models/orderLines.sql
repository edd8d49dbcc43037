SELECT
    key(shop, number, line) AS _source_id,
    ref('orders', key(shop, number)) AS "order",
    ref('products', product_id) AS product,
    coalesce(quantity, 1) AS quantity,
    to_number(unit_price) AS unitPrice
FROM extract.order_lines

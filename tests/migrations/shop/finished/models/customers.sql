SELECT
    key(id) AS _source_id,
    lower(email) AS email,
    ref('orders', key(last_order_shop, last_order_number)) AS lastOrder,
    to_ms(created_at) AS createdAt
FROM extract.customers

SELECT
    key(id) AS _source_id,
    ref('articles', article_id) AS articleId,
    slug,
    fee_cents / 100 AS fee
FROM extract.shares

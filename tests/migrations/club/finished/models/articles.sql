SELECT
    key(id) AS _source_id,
    ref('users', author_id) AS writerId,
    ref('users', reviewer_id) AS editorId,
    ref('articles', parent_article_id) AS parentId,
    headline AS title,
    body,
    coalesce(CASE status WHEN 'in_review' THEN 'inReview' ELSE status END, 'draft') AS status,
    concat_ws(' ', headline, body) AS searchText
    -- note: deletedAt (optional) has no source; it looks like a time, which must come from the
    --   source, never from this run
FROM extract.articles

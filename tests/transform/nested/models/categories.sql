SELECT key(id) AS _source_id, name, ref('categories', parent) AS parent FROM extract.categories

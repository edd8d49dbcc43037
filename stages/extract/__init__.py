"""Extract: tables of the source, and what the target has already, to Parquet parts."""

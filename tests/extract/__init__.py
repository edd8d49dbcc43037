"""Extract against real Postgres and the REST stand-in: exact, complete, resumable, kind."""

"""What `stages init` writes, and that it runs."""

"""What a person wrote for a migration: the plan, the settings, and what follows from them."""

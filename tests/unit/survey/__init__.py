"""Looking without acting."""

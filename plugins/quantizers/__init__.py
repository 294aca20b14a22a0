"""How the frozen weights are held."""

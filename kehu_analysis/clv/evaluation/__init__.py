"""How far the models may be trusted: days they have not seen, tests, what they suppose."""

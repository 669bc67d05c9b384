"""The one door to storage: a contract in values of the model, and one engine behind it."""

"""What the adapters for systems in Python share; it runs in their environments, with nothing of toril's."""

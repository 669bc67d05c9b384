"""What must be survived: each test provokes it."""

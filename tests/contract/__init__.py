"""What every store must do, and what may depend on no batch."""

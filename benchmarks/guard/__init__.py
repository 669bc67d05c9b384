"""A guard of speed that no clock can mislead: counts a job, held against budgets."""

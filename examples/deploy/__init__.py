"""Templates for deployments, and the workers that they run."""

"""toril from the first job to the last signal, one idea a test; to be read in the order of the numbers."""

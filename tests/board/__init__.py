"""bull-board on a server that only toril has written to."""

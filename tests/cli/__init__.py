"""The command line: in this process for speed, and as the installed script for what only a process shows."""

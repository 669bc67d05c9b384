"""Shows where the time of a measure goes: in the process, in the server, and in the server's commands."""

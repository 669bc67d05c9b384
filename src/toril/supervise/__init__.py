"""Worker processes: what one does, and a supervisor that starts, watches and replaces them.

``process`` is what a process runs; ``supervisor`` keeps several of them. They have nothing in common but a
socket, on which a process tells how it is: each imports the user's code anew.
"""

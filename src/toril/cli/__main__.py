"""``python -m toril.cli``, for where the console script is not on the path."""

from toril.cli.main import main

main()

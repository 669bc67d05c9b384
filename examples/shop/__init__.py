"""A small shop at work: receipts by mail, thumbnails of photos; ``python -m examples.shop``."""

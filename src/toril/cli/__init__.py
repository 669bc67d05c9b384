"""The command line: ``toril``. Needs the extra ``cli``; nothing else imports this package."""

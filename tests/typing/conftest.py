"""What is here is read by type checkers alone."""

collect_ignore = ["typical_use.py", "mistakes.py"]

"""Real mail software, started for the tests and ended with them: servers, judges, mailboxes.

Nothing listens but on the loopback, nothing mails but to the loopback, and no file of the system
is changed. What is not installed, or not root, skips the tests that need it, by name.
"""

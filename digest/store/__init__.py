"""The database: every SQL statement of the program, and nothing else.

Functions take an open transaction first and never commit; whatever must be true together is
written by one caller in one `store.write()`.
"""

from digest.store.engine import Store, Transaction, db_now

__all__ = ["Store", "Transaction", "db_now"]

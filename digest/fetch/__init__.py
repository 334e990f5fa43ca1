"""Asking the places that papers come from: politely, within limits, and never twice for the same.

The only part that makes HTTP requests to others. Sources say what to ask, collect.py drives.
Importing this costs little: httpx is loaded with the first request.
"""

from digest.fetch.answers import Answer, Validator
from digest.fetch.fetcher import Fetcher, user_agent
from digest.fetch.files import read_file
from digest.fetch.waiting import HostGate

__all__ = ["Answer", "Fetcher", "HostGate", "Validator", "read_file", "user_agent"]

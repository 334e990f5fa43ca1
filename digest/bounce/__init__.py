"""Reading what comes back: bounces (RFC 3464 or prose), complaints (RFC 5965), mailed requests.

Pure: a message's bytes in, a Report out; and the score that bounces add up to. Knows no store and
no mailbox; digest/returns.py uses it.
"""

from digest.bounce.read import read_report
from digest.bounce.tally import is_too_much, score
from digest.bounce.verdict import is_telling, is_vague, judge, names_no_address

__all__ = [
    "is_telling",
    "is_too_much",
    "is_vague",
    "judge",
    "names_no_address",
    "read_report",
    "score",
]

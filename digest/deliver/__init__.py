"""Delivering: take what waits in the outbox, hand it to the relay, write down what became of it.

A tick calls Deliverer.deliver (stage.py) → Run (run.py) claims rows through the Desk (desk.py), has
their messages made (making.py) and gives them to the transport → verdict.py says what an answer
means → the Desk writes it down. Rows are `sending` in the database before they are on the wire and
settled in small groups: what a crash leaves in doubt is what was on the wire and one group at most.
"""

from digest.deliver.rules import GROUP, LEASE, DeliveryReport, DeliveryRules, now_and_then
from digest.deliver.stage import Deliverer

__all__ = ["GROUP", "LEASE", "Deliverer", "DeliveryReport", "DeliveryRules", "now_and_then"]

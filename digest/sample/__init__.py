"""A bundled sample: sixty invented papers over three days, who might read them, a server for both.

Everything in it is made up: papers, people, places, numbers. The shapes are those of the real
sources, so that `digest demo` and the tests send it through the real collector, offline.
"""

from digest.sample.listings import SAMPLE_DAYS, sample_feed, sample_list
from digest.sample.people import SAMPLE_SUBSCRIBERS, SAMPLE_TOPICS
from digest.sample.server import SampleServer

__all__ = [
    "SAMPLE_DAYS",
    "SAMPLE_SUBSCRIBERS",
    "SAMPLE_TOPICS",
    "SampleServer",
    "sample_feed",
    "sample_list",
]

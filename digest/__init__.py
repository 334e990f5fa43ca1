"""digest: collect trending papers, pick what matches each subscriber, mail it on time."""

__version__ = "0.1.0"

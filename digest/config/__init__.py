"""Settings: what may be set, where it is read from, and what is wrong with it.

The operator's manual of every key is config.example.toml. Only load.py reads the environment.
"""

from digest.config.load import load_settings
from digest.config.settings import SECTIONS, Settings, SourceSettings
from digest.config.show import describe

__all__ = ["SECTIONS", "Settings", "SourceSettings", "describe", "load_settings"]

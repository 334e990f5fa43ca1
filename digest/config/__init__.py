"""Settings: what may be set, where it is read from, and what is wrong with it.

The operator's manual of every key is config.example.toml. Only load.py reads the environment.
"""

from digest.config.bounce_section import BounceSettings
from digest.config.first import Answers, write_config
from digest.config.list_sections import SOURCE_GROUP, SourceSettings
from digest.config.load import load_settings
from digest.config.mail_sections import MailSettings, SmtpSettings
from digest.config.settings import Settings
from digest.config.show import describe

__all__ = [
    "SOURCE_GROUP",
    "Answers",
    "BounceSettings",
    "MailSettings",
    "Settings",
    "SmtpSettings",
    "SourceSettings",
    "describe",
    "load_settings",
    "write_config",
]

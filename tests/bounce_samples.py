"""Messages that came back, written for the tests in the shapes of the servers that people meet."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "bounces"
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))

BOUNCE = "WzEyXQ.bounce-token_00"
UNSUBSCRIBE = "WzEyXQ.unsubscribe-token_00"
MESSAGE_ID = "<0123456789abcdef@example.org>"
READER = "reader@example.net"


def sample(
    name: str,
    *,
    bounce: str = BOUNCE,
    unsubscribe: str = UNSUBSCRIBE,
    message_id: str = MESSAGE_ID,
    reader: str = READER,
) -> bytes:
    """The message of that name, about that message to that reader."""
    raw = (FOLDER / f"{name}.eml").read_text("utf-8")
    raw = raw.replace("UNSUBTOKEN", unsubscribe).replace("TOKEN", bounce)
    raw = raw.replace("MESSAGE-ID", message_id).replace(READER, reader)
    return raw.encode()

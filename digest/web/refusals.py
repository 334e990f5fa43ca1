"""Requests that are answered with a page of words instead of what was asked for.

Raised by reading forms and by handlers; app.py turns them, and our other errors, into pages.
"""

from __future__ import annotations

from digest.errors import BadInput


def sentence(text: str) -> str:
    """A message as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


class Refused(BadInput):
    """A request that is not acted on. `title` and the text are for the person who sent it."""

    def __init__(
        self,
        title: str,
        text: str,
        *,
        status: int = 400,
        link: str = "/",
        link_text: str = "To the front page",
    ) -> None:
        super().__init__(text)
        self.title = title
        self.text = text
        self.status = status
        #: where to go from here, below the site's address
        self.link = link
        self.link_text = link_text


def used_up() -> Refused:
    return Refused(
        "This link has done its work",
        "If you have pressed its button before, all is settled. Else its subscription does not"
        " exist any more, and nothing of it is kept.",
        status=404,
    )


def no_question(days: int) -> Refused:
    return Refused(
        "This link does not work",
        f"It was cut off in your mail program, or its time is over: it is good for {days} days."
        " Open it again from the mail, as a whole, or sign up once more.",
        status=404,
        link="/subscribe",
        link_text="Sign up again",
    )


def too_large() -> Refused:
    return Refused(
        "That is too much",
        "The form was larger than any real one. Shorten what you wrote and send it again.",
        status=413,
    )


def too_slow() -> Refused:
    return Refused(
        "That took too long",
        "The form did not arrive in time. Check your connection and send it again.",
        status=408,
    )


def garbled() -> Refused:
    return Refused(
        "That could not be read",
        "The form did not arrive as it was sent. Go back, reload the page and send it again.",
    )


def foreign() -> Refused:
    return Refused(
        "That came from another site",
        "Another site tried to send this form for you, so nothing was done. If it was you, open "
        "the page here and press the button again.",
        status=403,
    )


def stale_form() -> Refused:
    return Refused(
        "This page was open for too long",
        "Nothing was done. Go back, reload the page and press the button again.",
        status=403,
    )


def too_often(minutes: int) -> Refused:
    wait = f"{minutes} minutes" if minutes < 60 else "an hour" if minutes < 120 else "a day"
    return Refused(
        "Too many in a short time",
        f"This came from your network too often, so nothing was done. Try again in {wait}.",
        status=429,
    )

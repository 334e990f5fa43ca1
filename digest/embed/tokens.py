"""A text as the numbers that a model reads: cut, split into tokens, cut again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from digest.embed.files import read_json, reading
from digest.embed.model import Text
from digest.errors import ModelError

#: what comes later in a text is not read; models for sentences were trained on as many
TOKENS_MAX = 256
#: enough for that many tokens; splitting an abstract of 3 MB would take seconds for nothing
_CHARACTERS_MAX = 20_000


class Tokens:
    """A model's own way of splitting texts."""

    def __init__(self, path: Path, *, specials: bool) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise missing_extra("tokenizers") from error
        self._specials = specials
        # the library tells of a file that is no JSON at all in words of its own
        read_json(path)
        with reading(path):
            # from_file raises nothing narrower than Exception
            self._tokenizer: Any = Tokenizer.from_buffer(path.read_bytes())
        # files come with lengths of their own
        self._tokenizer.enable_truncation(TOKENS_MAX)
        self._tokenizer.no_padding()

    @property
    def count(self) -> int:
        """How many tokens there are."""
        found: int = self._tokenizer.get_vocab_size()
        return found

    def split(self, text: Text) -> list[int]:
        """The numbers of the text's tokens; none for a text that says nothing."""
        encoded = self._tokenizer.encode(plain(text), add_special_tokens=self._specials)
        ids: list[int] = encoded.ids
        return ids if len(ids) > sum(encoded.special_tokens_mask) else []

    def number_of(self, token: str) -> int | None:
        """The number of a token; None when there is no such token."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found


def plain(text: Text) -> str:
    """The text in one string, in a length that is worth reading."""
    title, abstract = text
    joined = f"{title}. {abstract}" if title and abstract else title or abstract
    # a lone surrogate cannot be handed to the library
    return joined[:_CHARACTERS_MAX].encode("utf-8", "replace").decode()


def missing_extra(library: str) -> ModelError:
    """What to say when a library is not installed."""
    return ModelError(
        f"{library} is not installed; a model needs the extra `semantic`:"
        " pip install 'digest[semantic]'"
    )

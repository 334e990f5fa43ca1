"""Meaning: texts become vectors by a model on disk, each computed once and kept in the store.

    meaning = Meaning(store, setting="auto", models=folder, now=clock.now)
    vectors = meaning.vectors()                  # None: there is no model, compare words alone
    rows = vectors.embed([(title, abstract)])    # looked up, or computed and kept

Needs the extra `semantic`; whatever is missing becomes a ModelError, and callers do without.
onnxruntime and tokenizers are loaded with the first model, not by importing this.
"""

from digest.embed.meaning import Meaning
from digest.embed.model import Floats, Model, Text, load_model
from digest.embed.vectors import Vectors, unkept

__all__ = ["Floats", "Meaning", "Model", "Text", "Vectors", "load_model", "unkept"]

"""Templates, the operator's and ours: the only module that knows Jinja2 and css-inline.

`Templates.render` gives text, `Templates.inline` moves a page's CSS into its elements. An
operator's folder may replace any file; a replacement that is broken is named in the log with file
and line, and ours is used instead. Called by compose/ and web/.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import css_inline
import jinja2

from digest import filters
from digest.errors import TemplateError
from digest.resources import data_path

log = logging.getLogger(__name__)

#: what a template's own mistakes raise; anything else is our bug and climbs
_FAULTS = (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, OSError)

#: changes a template's source when it is loaded; gets its name and text
Wrapper = Callable[[str, str], str]


class _Loader(jinja2.FileSystemLoader):
    """Files of some folders, each passed through the wrapper."""

    def __init__(self, folders: list[Path], wrapper: Wrapper | None) -> None:
        super().__init__([str(f) for f in folders])
        self._wrapper = wrapper

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, path, fresh = super().get_source(environment, template)
        if self._wrapper is not None:
            source = self._wrapper(template, source)
        return source, path, fresh


def _environment(folders: list[Path], wrapper: Wrapper | None) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=_Loader(folders, wrapper),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters.update(filters.ALL)
    return environment


class Templates:
    """The program's templates, some of them perhaps replaced by the operator's."""

    def __init__(self, override: Path | None = None, *, wrapper: Wrapper | None = None) -> None:
        """`override` is the operator's folder, laid out as ours (email/, web/)."""
        own = data_path("templates")
        self._override = override
        self._builtin = _environment([own], wrapper)
        self._chosen = _environment([override, own], wrapper) if override else self._builtin
        self._warned: set[str] = set()
        self._inliner = css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)

    def wrapped(self, wrapper: Wrapper) -> Templates:
        """The same templates, each source passed through `wrapper` when it is loaded."""
        return Templates(self._override, wrapper=wrapper)

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The template of that name, e.g. "email/edition.txt", filled in.

        Raises TemplateError, naming file and line, when even the built-in one cannot be rendered.
        """
        problem = None
        if self._chosen is not self._builtin:
            try:
                return self._chosen.get_template(name).render(context)
            except _FAULTS as error:
                problem = _describe(error, name)
                self._warn(problem)
        try:
            return self._builtin.get_template(name).render(context)
        except _FAULTS as error:
            raise TemplateError(problem or _describe(error, name)) from error

    def check(self, name: str) -> None:
        """Raise TemplateError when the template of that name cannot be compiled."""
        try:
            self._chosen.get_template(name)
        except _FAULTS as error:
            raise TemplateError(_describe(error, name)) from error

    def inline(self, html: str) -> str:
        """`html` with the rules of its style elements moved into style attributes.

        A style element marked data-css-inline="keep" stays (dark mode, narrow screens). Raises
        TemplateError when the CSS cannot be used.
        """
        try:
            inlined = self._inliner.inline(html)
        except (css_inline.InlineError, ValueError) as error:
            raise TemplateError(f"the CSS of a mail template cannot be inlined: {error}") from error
        return inlined.replace(' data-css-inline="keep"', "")

    def _warn(self, problem: str) -> None:
        if problem not in self._warned:
            self._warned.add(problem)
            log.warning("a template of yours is broken, the built-in one is used: %s", problem)


def _describe(error: Exception, name: str) -> str:
    """`file:line: what is wrong`, as near to the template's own line as is known."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or error.name or name}:{error.lineno}: {error.message}"
    if isinstance(error, jinja2.TemplateNotFound):
        return f"{name}: there is no template {error.message or error.name!r}"
    # Jinja2 puts the template's file and line into the traceback
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.endswith(".py") and not frame.filename.startswith("<")
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name
    return f"{place}: {error}"

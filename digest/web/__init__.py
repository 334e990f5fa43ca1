"""The pages: reading, subscribing, managing a subscription, and running the service.

`build_web(app)` gives the Starlette application, `WebServer` serves it beside the scheduler. A
request goes shield → endpoint → handler (a thin function in a thread) → store; what is shown is
decided by pure functions (views, charts, feeds, health). GET and HEAD never change anything.
"""

from digest.web.app import build_web

__all__ = ["build_web"]

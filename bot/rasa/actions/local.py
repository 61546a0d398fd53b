"""Custom actions in this process: the project's own package, written with rasa_sdk, without a server in between.

rasa_sdk is imported here and nowhere else, when the first action runs: it brings a web framework and exact versions of
many packages, so it is the extra `[rasa]`. No action may hold up the server: one written with `def` runs in a thread of
its own, one with `async def` (forms' validation too) in one event loop that all of them share, away from the server's.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import pkgutil
import sys
import threading
import traceback
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bot.assistant_yaml import AssistantError
from bot.rasa.actions.answers import parse_json, read_result
from bot.rasa.actions.protocol import ActionFailed, ActionRejected, ActionResult

log = logging.getLogger("rejoinder.actions")

MISSING = "custom actions in this process need rasa-sdk: pip install 'rejoinder[rasa]'"


class LocalActions:
    """Runs the actions of a project's package or module.

    Args:
        folder: the project's, put on the module search path.
        package: its name below the folder.
        timeout_seconds: for one action. One with `def` that takes longer is left behind in its thread.
        at_once: actions with `def` that run at the same time, those left behind included.
    """

    def __init__(
        self, folder: Path, package: str = "actions", timeout_seconds: float = 10.0, at_once: int = 16
    ) -> None:
        self._folder, self._package, self._timeout = folder.resolve(), package, timeout_seconds
        self._executor: Any = None
        self._loading = threading.Lock()
        self._places = threading.Semaphore(at_once)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._domain: Mapping[str, Any] | None = None
        self._domain_json = "{}"

    def load(self) -> tuple[str, ...]:
        """Import the package, once; the names of its actions.

        Raises:
            AssistantError: it is missing, or its code can't be imported; names file and line.
            ModuleNotFoundError: rasa_sdk is not installed; the message says what to do.
        """
        with self._loading:
            if self._executor is None:
                self._executor = _load(self._folder, self._package)
            return tuple(self._executor.actions)

    async def run(
        self,
        name: str,
        tracker: Mapping[str, Any],
        domain: Mapping[str, Any],
        sender_id: str,
        idempotency_key: str | None = None,
    ) -> ActionResult:
        """Run one action of the package; see `Actions.run`. The key is not needed: nobody else can ask."""
        if self._executor is None:
            try:
                await asyncio.to_thread(self.load)
            except ModuleNotFoundError as error:
                raise ActionFailed(name, "not_installed", str(error)) from None
            except AssistantError as error:
                raise ActionFailed(name, "not_configured", str(error)) from None
        if name not in self._executor.actions:
            raise ActionFailed(name, "unknown_action", f"no class in `{self._package}` has this name")
        if domain is not self._domain:
            self._domain_json, self._domain = json.dumps(domain), domain
        # the action gets copies: what it changes in them must not change the conversation
        call = {"next_action": name, "sender_id": sender_id, "tracker": json.loads(json.dumps(tracker))}
        call["domain"] = json.loads(self._domain_json)
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._start(name, call)
        except TimeoutError:
            raise ActionFailed(name, "timeout", f"it took longer than {self._timeout:g} s") from None
        return _read(name, answer)

    async def close(self) -> None:
        """End the event loop of the actions; threads that are left behind die with the process."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    async def _start(self, name: str, call: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self._executor.actions[name]):
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run_loop, args=(self._loop,), name="actions", daemon=True).start()
            work = _caught(name, self._executor.run(call))
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        while not self._places.acquire(blocking=False):
            await asyncio.sleep(0.02)  # all places are taken by slow actions; the time-out ends this wait
        done: Future[Any] = Future()
        threading.Thread(target=self._in_thread, args=(name, call, done), name=name, daemon=True).start()
        return await asyncio.wrap_future(done)

    def _in_thread(self, name: str, call: dict[str, Any], done: Future[Any]) -> None:
        try:
            result = asyncio.run(_caught(name, self._executor.run(call)))
            outcome: ActionFailed | ActionRejected | None = None
        except (ActionFailed, ActionRejected) as error:
            result, outcome = None, error
        finally:
            self._places.release()
        if not done.set_running_or_notify_cancel():
            return  # nobody waits any more
        if outcome is None:
            done.set_result(result)
        else:
            done.set_exception(outcome)


async def _caught(name: str, work: Coroutine[Any, Any, Any]) -> Any:
    """The action's own errors as ours; also SystemExit, which would otherwise end a thread without a word."""
    from rasa_sdk.executor import ActionNotFoundException
    from rasa_sdk.interfaces import ActionExecutionRejection

    try:
        return await work
    except ActionExecutionRejection as error:
        raise ActionRejected(name, str(error)) from None
    except ActionNotFoundException:
        raise ActionFailed(name, "unknown_action", "the package has no such action") from None
    except asyncio.CancelledError:
        raise
    except (Exception, SystemExit) as error:
        log.warning("the action %s failed in its own code", name, exc_info=error)
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {str(error)[:200]}"
        raise ActionFailed(name, "exception", reason) from None


def _read(name: str, answer: Any) -> ActionResult:
    """The executor's result as plain JSON values, checked like a server's."""
    plain = {"events": answer.events, "responses": answer.responses} if answer is not None else None
    try:
        value = parse_json(json.dumps(plain).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ActionFailed(name, "garbage", f"its result is not JSON: {str(error)[:100]}") from None
    return read_result(name, value)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _load(folder: Path, package: str) -> Any:
    try:
        from rasa_sdk.executor import ActionExecutor
    except ImportError:
        raise ModuleNotFoundError(MISSING) from None
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    _import(folder, package)
    executor = ActionExecutor()
    try:
        executor.register_package(package)
    except (Exception, SystemExit) as error:
        raise _broken(folder, package, error) from None
    return executor


def _import(folder: Path, name: str) -> None:
    """Import a module and all below it: rasa_sdk ends the process where that fails."""
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _broken(folder, name, error) from None
    for _, inner, _ in pkgutil.iter_modules(getattr(module, "__path__", []), prefix=f"{name}."):
        _import(folder, inner)


def _broken(folder: Path, name: str, error: BaseException) -> AssistantError:
    """Names the last line of the project's own code before the failure."""
    if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
        remedy = "Create it, or give `action_endpoint: {url: ...}` in endpoints.yml"
        return AssistantError(folder / name, 0, "the project has no such package of actions", remedy)
    own = [p for p in traceback.extract_tb(error.__traceback__) if Path(p.filename).is_relative_to(folder)]
    file, line = (own[-1].filename, own[-1].lineno or 0) if own else (str(folder / name), 0)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno or 0
    problem = f"the actions can't be imported: {type(error).__name__}: {str(error)[:200]}"
    return AssistantError(file, line, problem, "Correct this line, or install what it imports")

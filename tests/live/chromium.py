"""A headless Chromium for tests, spoken to in its own DevTools protocol over a web socket on 127.0.0.1.

Why no driver package: the protocol reports what these tests are about (every request, console line, dialog and
exception) and clicks like a mouse does, and aiohttp is there already.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, which Chromium's sandbox refuses
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
WATCHED = ("Page", "Runtime", "Log", "Network")
Event = dict[str, Any]


def find() -> str:
    """Path of an installed Chromium. Raises FileNotFoundError where there is none: a live test never skips."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("no Chromium on the path; install Debian's package chromium, or leave out `-m live`")


@dataclass
class Page:
    """One tab. ``events`` holds everything that Chromium reported, in order."""

    socket: aiohttp.ClientWebSocketResponse
    events: list[Event] = field(default_factory=list)
    answers: dict[int, "asyncio.Future[Event]"] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def listen(self) -> None:
        """Sort messages into answers and events until the socket closes."""
        async for message in self.socket:
            content = json.loads(message.data)
            if "id" in content:
                self.answers.pop(content["id"]).set_result(content)
                continue
            self.events.append(content)
            if content["method"] == "Page.javascriptDialogOpening":
                # An open dialog would block every later answer; the event itself stays in the list.
                await self.post("Page.handleJavaScriptDialog", accept=False)

    async def post(self, method: str, **parameters: object) -> int:
        """Send a command without awaiting its answer; its number."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        self.answers[number] = asyncio.get_running_loop().create_future()
        return number

    async def send(self, method: str, **parameters: object) -> Event:
        """The result of a command. Raises RuntimeError for a refused one."""
        answer = await self.answers[await self.post(method, **parameters)]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: Event = answer["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression. Raises RuntimeError for an exception."""
        result = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def open(self, path: Path) -> None:
        """Go to a file and wait until it is loaded, its scripts run."""
        await self.send("Page.navigate", url=path.as_uri())
        loaded = "new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        await self.evaluate(loaded)

    async def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the viewport in CSS pixels and the preferred colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def click(self, x: float, y: float) -> None:
        """Press and release the left button at a point of the viewport."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            await self.send("Input.dispatchMouseEvent", **button)

    async def hover(self, x: float, y: float) -> None:
        """Move the mouse to a point of the viewport."""
        await self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def screenshot(self) -> bytes:
        """The viewport as PNG."""
        shot = await self.send("Page.captureScreenshot")
        return base64.b64decode(shot["data"])

    def seen(self, method: str) -> list[Event]:
        """Parameters of every event of one kind."""
        return [event["params"] for event in self.events if event["method"] == method]


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """A fresh Chromium with an empty profile and one tab; killed and cleaned up afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        async with _browser(profile) as address, aiohttp.ClientSession() as session:
            async with session.ws_connect(await _tab(session, address), max_msg_size=0) as socket:
                tab = Page(socket)
                listener = asyncio.create_task(tab.listen())
                for domain in WATCHED:
                    await tab.send(f"{domain}.enable")
                yield tab
            await listener


@contextlib.asynccontextmanager
async def _browser(profile: str) -> AsyncIterator[str]:
    """Host and port of a running Chromium; it prints them on its error stream."""
    process = await asyncio.create_subprocess_exec(
        find(),
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(rb"listening on ws://([\d.:]+)/", line := await process.stderr.readline())):
                if not line:
                    raise RuntimeError("Chromium ended before it listened")
        drain = asyncio.create_task(process.stderr.read())
        yield found[1].decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    await drain


async def _tab(session: aiohttp.ClientSession, address: str) -> str:
    async with session.get(f"http://{address}/json/list") as response:
        tabs = await response.json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))

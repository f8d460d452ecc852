"""A headless Chromium driven over its DevTools pipe: real key presses, mouse and screenshots, with the standard library
only."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

BROWSER = next((b for b in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if b), None)
NAMES = {
    "Enter": 13,
    "Escape": 27,
    " ": 32,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
ALT, CTRL, SHIFT = 1, 2, 8


class Page:
    """One page of a browser of its own; use as a context manager."""

    def __init__(self, profile: Path, *, width: int = 1360, height: int = 860):
        if BROWSER is None:
            pytest.skip("no Chromium to run the page in")
        read_in, self._out = os.pipe()
        self._in, write_out = os.pipe()
        command = [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        # The browser reads from its descriptor 3 and writes to 4: bash puts ours there, clear of each other.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (read_in, write_out)]
        shell = ["/bin/bash", "-c", f'exec "$@" 3<&{high[0]} 4>&{high[1]} {high[0]}<&- {high[1]}>&-', "bash", *command]
        self._process = subprocess.Popen(shell, pass_fds=high, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (read_in, write_out, *high):
            os.close(fd)
        self._buffer, self._count, self._session = b"", 0, None
        self.events: list[dict] = []
        try:
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.send(f"{domain}.enable")
            self.send(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            self.close()
            pytest.skip(f"the browser does not start here: {error}")

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait(30)
        os.close(self._in)
        os.close(self._out)

    def send(self, method: str, **parameters: object) -> dict:
        """Send a command and return its result; events that come meanwhile go to ``events``."""
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": parameters} | (
            {"sessionId": self._session} if self._session else {}
        )
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = self._next(end)
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            self.events.append(found)
        raise TimeoutError(method)

    def _next(self, end: float) -> dict:
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("no answer from the browser")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise EOFError("the browser ended")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(line)

    def run(self, script: str) -> object:
        """Return the value of an expression in the page; promises are awaited."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(
                found["exceptionDetails"].get("exception", {}).get("description", str(found["exceptionDetails"]))
            )
        return found["result"].get("value")

    def wait(self, condition: str, *, seconds: float = 20.0) -> None:
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds
        while not self.run(f"(() => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }})()"):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {condition}; the page says: {self.run('document.body.innerText')}")
            time.sleep(0.03)

    def open(self, address: str) -> None:
        """Go to an address."""
        self.send("Page.navigate", url=address)

    def key(self, key: str, modifiers: int = 0) -> None:
        """Press and let go one key."""
        code = NAMES.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = key if len(key) == 1 and not modifiers & (CTRL | ALT) else ""
        self.send(
            "Input.dispatchKeyEvent",
            type="keyDown" if text else "rawKeyDown",
            key=key,
            windowsVirtualKeyCode=code,
            text=text,
            modifiers=modifiers,
        )
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code, modifiers=modifiers)

    def mouse(
        self,
        kind: str,
        x: float,
        y: float,
        *,
        button: str = "left",
        clicks: int = 1,
        modifiers: int = 0,
        wheel: float = 0.0,
    ) -> None:
        """Send one mouse event: pressed, moved, released or wheel."""
        names = {"pressed": "mousePressed", "moved": "mouseMoved", "released": "mouseReleased", "wheel": "mouseWheel"}
        held = {"buttons": 1} if kind == "moved" and button != "none" else {}
        self.send(
            "Input.dispatchMouseEvent",
            type=names[kind],
            x=x,
            y=y,
            button="none" if kind == "wheel" else button,
            clickCount=clicks,
            modifiers=modifiers,
            deltaX=0,
            deltaY=wheel,
            **held,
        )

    def click(self, x: float, y: float, *, clicks: int = 1, modifiers: int = 0) -> None:
        """Click, or double click."""
        for n in range(1, clicks + 1):
            self.mouse("pressed", x, y, clicks=n, modifiers=modifiers)
            self.mouse("released", x, y, clicks=n, modifiers=modifiers)

    def drag(self, start: tuple[float, float], stop: tuple[float, float], *, steps: int = 6) -> None:
        """Press at a place, move to another and let go."""
        self.mouse("pressed", *start)
        for k in range(1, steps + 1):
            self.mouse("moved", *(a + (b - a) * k / steps for a, b in zip(start, stop, strict=True)))
        self.mouse("released", *stop)

    def box(self, identifier: str) -> dict[str, float]:
        """Return where an element lies: left, top, width, height."""
        return self.run(
            f"(() => {{ const b = document.getElementById({json.dumps(identifier)}).getBoundingClientRect(); return"
            " {left: b.left, top: b.top, width: b.width, height: b.height}; })()"
        )  # type: ignore[return-value]

    def picture(self, path: Path) -> None:
        """Save a screenshot as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def requests(self) -> list[str]:
        """Return the addresses of every request so far."""
        self.run("0")
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Return uncaught errors and what the console calls an error."""
        self.run("0")
        out = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                out.append(event["params"]["exceptionDetails"].get("exception", {}).get("description", "exception"))
            if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                out.append(f"{event['params']['entry']['text']} {event['params']['entry'].get('url', '')}")
        return out

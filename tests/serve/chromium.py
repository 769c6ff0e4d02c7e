"""Headless Chromium over a pair of pipes: the DevTools protocol with no further library."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """Gives the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of a browser."""

    def __init__(self, commands, events):
        self._commands, self._events, self._ids = commands, events, itertools.count(1)
        self._session, self.requests, self.errors = None, [], []
        [target] = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Calls a method and waits for its result."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _read(self):
        text = bytearray()
        while (byte := self._events.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser is gone")
            text += byte
        message = json.loads(text)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.errors.append(message["params"])
        return message

    def value_of(self, expression):
        """Evaluates JavaScript."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return result["result"].get("value")

    def wait_for(self, expression, seconds=20):
        """Waits until an expression is true; gives its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.value_of(expression):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {expression}; {self.errors}")

    def choose_file(self, selector, path):
        """Puts a file into an input element."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def screenshot(self, path):
        """Writes a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def open_page(profile):
    """Starts a browser.

    Args:
      profile: an empty folder of its own.
    """
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [
        find(), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
        "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={profile}", "about:blank",
    ]
    # The browser reads commands from descriptor 3 and writes events to 4.
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}', "bash", *command],
        pass_fds=(to_browser[0], from_browser[1]), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    with os.fdopen(to_browser[1], "wb") as commands, os.fdopen(from_browser[0], "rb") as events:
        try:
            yield Page(commands, events)
        finally:
            process.terminate()
            process.wait(20)

"""A browser without a window, told what to do over a pipe: Chromium's own protocol, no package."""

import base64
import json
import os
import shutil
import subprocess
import tempfile

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find():
    """The path of a Chromium, or None. The environment variable CHROMIUM names one."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        path = shutil.which(name) if name else None
        if path:
            return path
    return None


class Browser:
    """One page in a browser; a context manager.

    Arguments:
        path: the program's.
    """

    def __init__(self, path):
        self._profile = tempfile.mkdtemp(prefix="browser-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        options = [
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",  # which needs rights that containers lack
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--user-data-dir=" + self._profile,
        ]
        # The browser reads from its descriptor 3 and writes to 4; a shell puts the pipes there.
        shell = 'exec 3<&{} 4>&{}; exec "$@"'.format(to_browser, from_browser)
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", path, *options],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._rest, self._count = b"", 0
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call("Page.enable")

    _session = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _send(self, method, **arguments):
        self._count += 1
        message = {"id": self._count, "method": method, "params": arguments}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError("{}: {}".format(method, answer["error"]))
                return answer["result"]

    def _next(self):
        while b"\0" not in self._rest:
            read = os.read(self._read, 1 << 16)
            if not read:
                raise RuntimeError("the browser ended")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message.decode())

    def call(self, method, **arguments):
        """The result of a command of the protocol, for the page."""
        return self._send(method, **arguments)

    def show(self, path, width, scheme):
        """Load a file into a window of a width, "light" or "dark", and wait for it."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while self.ask("document.readyState") != "complete" or self.ask("location.protocol") != (
            "file:"
        ):
            pass

    def ask(self, expression):
        """The value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def picture(self, path, whole=False):
        """Write what is shown (or the whole page) as a PNG file."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        with open(path, "wb") as opened:
            opened.write(base64.b64decode(found["data"]))

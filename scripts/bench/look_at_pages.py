#!/usr/bin/env python3
"""Opens pages in headless Chromium through its debugging pipe, counts what they say on the console and ask of the network,
and takes screenshots.

  look_at_pages.py BROWSER FOLDER PAGE.html...        needs nothing but Python and the browser
Exit 1 when a page logs anything, requests anything besides itself, or is wider than its window.
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile


class Browser:
    """The DevTools protocol over --remote-debugging-pipe: JSON messages that end in NUL on descriptors 3 and 4."""

    def __init__(self, program, profile):
        to_read, self.to = os.pipe()
        self.answers, from_write = os.pipe()

        def descriptors():
            os.dup2(to_read, 13), os.dup2(from_write, 14)
            os.dup2(13, 3), os.dup2(14, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars",
             "--no-first-run", "--disable-component-update", "--disable-background-networking",
             f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=descriptors, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(from_write)
        self.buffer, self.number, self.events = b"", 0, []

    def receive(self):
        while b"\0" not in self.buffer:
            part = os.read(self.answers, 1 << 20)
            if not part:
                raise RuntimeError("the browser left")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.receive())

    def close(self):
        self.call("Browser.close")
        self.process.wait(20)


def look(browser, page, folder):
    url = pathlib.Path(page).resolve().as_uri()
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.call(domain + ".enable", session)
    problems, shots = [], []
    for width, scheme in ((1280, "light"), (1280, "dark"), (400, "light"), (400, "dark"), (760, "print")):
        browser.events.clear()
        browser.call("Emulation.setDeviceMetricsOverride", session, width=width, height=900, deviceScaleFactor=1,
                     mobile=width < 600)
        browser.call("Emulation.setEmulatedMedia", session, media="print" if scheme == "print" else "",
                     features=[{"name": "prefers-color-scheme", "value": "light" if scheme == "light" else "dark"}])
        browser.call("Page.navigate", session, url=url)
        browser.wait_for("Page.loadEventFired")
        size = browser.call("Runtime.evaluate", session, returnByValue=True, expression="""
            ({wide: document.documentElement.scrollWidth, high: document.documentElement.scrollHeight,
              text: document.body.innerText.length})""")["result"]["value"]
        name = f"{pathlib.Path(page).stem}-{width}-{scheme}.png"
        shot = browser.call("Page.captureScreenshot", session, captureBeyondViewport=True,
                            clip={"x": 0, "y": 0, "width": width, "height": min(size["high"], 8000), "scale": 1})
        pathlib.Path(folder, name).write_bytes(base64.b64decode(shot["data"]))
        shots.append(name)
        if size["wide"] > width:
            problems.append(f"{page}: {size['wide']} pixels wide in a window of {width}")
        if size["text"] < 50:
            problems.append(f"{page}: {size['text']} characters of text")
        for event in browser.events:
            method, values = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded":
                problems.append(f"{page}: console: {values['entry']['text']}")
            elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                problems.append(f"{page}: console: {json.dumps(values)[:200]}")
            elif method == "Network.requestWillBeSent" and values["request"]["url"] not in (url, "data:,"):
                problems.append(f"{page}: request: {values['request']['url'][:200]}")
    printed = browser.call("Page.printToPDF", session)
    name = f"{pathlib.Path(page).stem}.pdf"
    pathlib.Path(folder, name).write_bytes(base64.b64decode(printed["data"]))
    return problems, shots + [name]


def main():
    program, folder, *pages = sys.argv[1:]
    problems, shots = [], []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        for page in pages:
            found, taken = look(browser, page, folder)
            problems += found
            shots += taken
        browser.close()
    for problem in problems:
        print(problem)
    print(f"{len(pages)} pages, {len(problems)} console messages, requests or overflows; {len(shots)} pictures in {folder}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

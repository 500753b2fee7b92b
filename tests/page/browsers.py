"""Headless Chromium for the tests of the page."""

import contextlib
import json
import shutil
import threading

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--force-color-profile=srgb",
)


@contextlib.contextmanager
def browser(downloads, *, size=(1280, 900)):
    """A driver of selenium's; skips the test where there is no browser."""
    selenium = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install -e '.[test]'")
    binary = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no Chromium with its driver: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = binary
    for argument in (*_ARGUMENTS, "--window-size={},{}".format(*size)):
        options.add_argument(argument)
    several = "profile.default_content_setting_values.automatic_downloads"  # without asking
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads), several: 1})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    started = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    # A window narrower than 500 pixels has to be asked for in this way.
    metrics = dict(width=size[0], height=size[1], deviceScaleFactor=1, mobile=size[0] < 500)
    started.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield started
    finally:
        started.quit()


@contextlib.contextmanager
def serving(server):
    """Serves in a thread; the address."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def requests(driver):
    """The addresses that a driver's page has asked for since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

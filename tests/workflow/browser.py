"""Opens a page in headless Chromium, clicks, and returns what is shown then."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--virtual-time-budget=20000", "--window-size=1600,1100", "--dump-dom"),
)
# A step is the text of a link, or the text of a row and the number of a link in it.
CLICKS = """
<script>
(async () => {
  const pause = () => new Promise(resolve => setTimeout(resolve, 500));
  const find = step => Array.isArray(step)
    ? [...document.querySelectorAll("tr")].find(row => row.textContent.includes(step[0]))
        ?.querySelectorAll("a")[step[1]]
    : [...document.querySelectorAll("a")].find(link => link.textContent.trim() === step);
  for (const step of STEPS) {
    await pause();
    find(step).click();
  }
  await pause();
  document.title = "clicked";
})();
</script>
"""


def browser():
    """Return the command of Chromium, or skip the test."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or pytest.skip("no Chromium here (Debian: apt-get install chromium)")


def visit(page, folder, steps, screenshot):
    """Return the DOM of a page after the clicks ``steps``; write a picture of it.

    ``folder`` is a new one, for a copy of the page and the profile of the browser.
    """
    command = browser()
    copy = Path(folder) / "page.html"
    clicks = CLICKS.replace("STEPS", json.dumps(steps))
    copy.write_text(Path(page).read_text(encoding="utf-8") + clicks, encoding="utf-8")
    profile = f"--user-data-dir={Path(folder) / 'profile'}"
    run = subprocess.run(
        [command, *OPTIONS, profile, f"--screenshot={screenshot}", copy.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "<title>clicked</title>" in run.stdout, run.stderr[-3000:]
    return run.stdout

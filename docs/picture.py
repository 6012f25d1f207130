"""`python docs/picture.py docs/race.svg`: a picture of a real race, as the README shows it.

Private servers, the race screen at 160x48 without a terminal, a picture after some seconds, and everything gone again.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from engines.config.race_config import RaceConfig
from tui.app.app import TelemonApp
from tui.terminal.capabilities import Terminal


async def take(path: Path, seconds: float) -> None:
    """Race for `seconds` beyond the warm-up and write what the screen shows then."""
    # Blocks, not braille: few of the fonts that a browser falls back to have braille in the width of the others.
    app = TelemonApp(RaceConfig(duration_s=seconds + 30), terminal=Terminal(glyphs="block"))
    async with app.run_test(size=(160, 48)) as pilot:
        await asyncio.sleep(4 + RaceConfig().warmup_s + seconds)
        # Without the fonts that it would load from elsewhere: a page that shows it will not fetch them.
        picture = re.sub(
            r"@font-face \{.*?\}", "", app.export_screenshot(title="telemon"), flags=re.DOTALL
        )
        path.write_text(picture)
        await pilot.press("q")
        await pilot.pause(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="the SVG file to write")
    parser.add_argument("--seconds", type=float, default=20.0, help="race so long first (20)")
    options = parser.parse_args()
    asyncio.run(take(options.path, options.seconds))


if __name__ == "__main__":
    main()

"""Events come from several threads, and none is lost."""

from __future__ import annotations

import sys
from threading import Thread

from engines.race.event_log import EventBuffer

EACH = 20_000


def test_what_is_noted_while_events_are_taken_is_in_the_next_piece() -> None:
    log = EventBuffer()
    taken: list[str] = []

    def note(who: str) -> None:
        for number in range(EACH):
            log.note(who, f"{who} {number}")

    writers = [Thread(target=note, args=(who,)) for who in ("mysql", "cached")]
    before_s = sys.getswitchinterval()
    # As many changes of thread as there can be.
    sys.setswitchinterval(1e-6)
    try:
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            taken += [event.text for event in log.take()]
    finally:
        sys.setswitchinterval(before_s)
    taken += [event.text for event in log.take()]
    for who in ("mysql", "cached"):
        assert [text for text in taken if text.startswith(who)] == [
            f"{who} {number}" for number in range(EACH)
        ]

"""Themes: quiet surroundings, lane colours that stay apart under colour blindness, and terminals with few colours.

Orange, blue and sea green after the palette of Okabe and Ito (2008), moved apart in lightness; a test computes
contrast (WCAG 2.2) and the distance that is left under simulated colour blindness (Machado et al., 2009).
"""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="telemon-dark",
    primary="#4da3ff", secondary="#2fd6b0", accent="#ffb020",
    warning="#ffd166", error="#ff7b72", success="#7ee787",
    foreground="#d5dbe1", background="#0f1419", surface="#161c23", panel="#1d252e",
    dark=True,
    variables={
        "quiet": "#8b98a5", "strong": "#ffffff", "good": "#7ee787", "warn": "#ffd166", "bad": "#ff8b82",
        "badge": "#ffd166", "badge-text": "#0f1419", "badge-style": "bold",
        "lane-mysql": "#ffb020", "lane-cached": "#4da3ff", "lane-durable": "#2fd6b0",
        "lane-mysql-text": "#ffb020", "lane-cached-text": "#4da3ff", "lane-durable-text": "#2fd6b0",
    },
)  # fmt: skip

LIGHT = Theme(
    name="telemon-light",
    primary="#1553c0", secondary="#0b6e62", accent="#a34300",
    warning="#7a5200", error="#b3261e", success="#1c6b2a",
    foreground="#24292f", background="#fafaf8", surface="#f0f0ec", panel="#e6e6e0",
    dark=False,
    variables={
        "quiet": "#5f6870", "strong": "#000000", "good": "#1c6b2a", "warn": "#7a5200", "bad": "#b3261e",
        "badge": "#24292f", "badge-text": "#fafaf8", "badge-style": "bold",
        "lane-mysql": "#a34300", "lane-cached": "#1553c0", "lane-durable": "#0b6e62",
        "lane-mysql-text": "#a34300", "lane-cached-text": "#1553c0", "lane-durable-text": "#0b6e62",
    },
)  # fmt: skip

PROJECTOR = Theme(
    name="telemon-projector",
    primary="#0033c0", secondary="#005c55", accent="#8f3300",
    warning="#5c3d00", error="#8c0f0f", success="#0c4f1c",
    foreground="#000000", background="#ffffff", surface="#ffffff", panel="#f2f2f2",
    dark=False,
    variables={
        "quiet": "#333333", "strong": "#000000", "good": "#0c4f1c", "warn": "#5c3d00", "bad": "#8c0f0f",
        "badge": "#000000", "badge-text": "#ffffff", "badge-style": "bold",
        "lane-mysql": "#8f3300", "lane-cached": "#0033c0", "lane-durable": "#005c55",
        "lane-mysql-text": "#8f3300", "lane-cached-text": "#0033c0", "lane-durable-text": "#005c55",
    },
)  # fmt: skip

_ANSI = {
    **BUILTIN_THEMES["ansi-dark"].variables,
    "block-cursor-foreground": "ansi_default", "block-cursor-background": "ansi_default",
    "block-cursor-text-style": "reverse", "border": "ansi_default", "border-blurred": "ansi_default",
    "input-cursor-foreground": "ansi_default", "input-cursor-background": "ansi_default",
    "input-cursor-text-style": "reverse",
    "input-selection-foreground": "ansi_default", "input-selection-background": "ansi_default",
    "screen-selection-foreground": "ansi_default", "screen-selection-background": "ansi_default",
    "ansi-foreground": "ansi_default", "ansi-background": "ansi_default",
    "lane-mysql-text": "ansi_default", "lane-cached-text": "ansi_default", "lane-durable-text": "ansi_default",
    **dict.fromkeys(
        (
            "scrollbar", "scrollbar-hover", "scrollbar-active", "scrollbar-background",
            "scrollbar-background-hover", "scrollbar-background-active", "scrollbar-corner-color",
        ),
        "ansi_default",
    ),
}  # fmt: skip
"""Variables that Textual's stylesheets need if a theme has no colours to mix. Text has the terminal's own colours: no
other is readable on black and on white alike."""

SIXTEEN = Theme(
    name="telemon-16",
    ansi=True,
    primary="ansi_blue", secondary="ansi_cyan", accent="ansi_yellow",
    warning="ansi_yellow", error="ansi_red", success="ansi_green",
    foreground="ansi_default", background="ansi_default", surface="ansi_default", panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "quiet": "ansi_default", "strong": "ansi_default", "good": "ansi_default", "warn": "ansi_default",
        "bad": "ansi_red", "badge": "ansi_default", "badge-text": "ansi_default",
        "badge-style": "bold reverse",
        # For marks, rules and bars. Of xterm's colours magenta, blue and green are those that are seen best on black
        # and on white alike (2.2:1 at least; yellow and cyan vanish on white), once red is kept for what is wrong.
        "lane-mysql": "ansi_magenta", "lane-cached": "ansi_blue", "lane-durable": "ansi_green",
        **_ANSI,
    },
)  # fmt: skip

PLAIN = Theme(
    name="telemon-plain",
    ansi=True,
    primary="ansi_default", secondary="ansi_default", accent="ansi_default",
    warning="ansi_default", error="ansi_default", success="ansi_default",
    foreground="ansi_default", background="ansi_default", surface="ansi_default", panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        **dict.fromkeys(
            (
                "quiet", "strong", "good", "warn", "bad", "badge", "badge-text",
                "lane-mysql", "lane-cached", "lane-durable",
            ),
            "ansi_default",
        ),
        "badge-style": "bold reverse",
        **_ANSI,
    },
)  # fmt: skip

HALL = Theme(
    name="telemon-hall",
    primary="#6bb5ff", secondary="#2fd6b0", accent="#ffb020",
    warning="#ffd166", error="#ff9d96", success="#7ee787",
    foreground="#ffffff", background="#000000", surface="#000000", panel="#1a1a1a",
    dark=True,
    variables={
        "quiet": "#c4ccd4", "strong": "#ffffff", "good": "#7ee787", "warn": "#ffd166", "bad": "#ff9d96",
        "badge": "#ffffff", "badge-text": "#000000", "badge-style": "bold",
        "lane-mysql": "#ffb020", "lane-cached": "#6bb5ff", "lane-durable": "#2fd6b0",
        "lane-mysql-text": "#ffb020", "lane-cached-text": "#6bb5ff", "lane-durable-text": "#2fd6b0",
    },
)  # fmt: skip

THEMES = (DARK, LIGHT, PROJECTOR, HALL, SIXTEEN, PLAIN)

CYCLE = (DARK.name, LIGHT.name, PROJECTOR.name, HALL.name)
"""The themes that the theme key cycles through on a terminal with enough colours."""

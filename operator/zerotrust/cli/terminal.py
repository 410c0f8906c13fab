"""What the terminal can show: width, colour, unicode. Pages are made of lines that are never broken inside an id.

Text from a cluster goes through ``safe`` before it comes here, and no markup is ever read from any text.
"""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from zerotrust.api.status import Verdict

MAX_TEXT = 1024
MAX_PROSE = 100
STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.BREACH: "bold red",
    Verdict.LOCKOUT: "bold magenta",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "yellow",
    Verdict.WAIVED: "cyan",
    Verdict.SKIPPED: "dim",
}

Part = str | tuple[str, str]
"""Plain text, or text and style."""


def safe(text: object, limit: int = MAX_TEXT) -> str:
    """Text from the other side, bounded, with nothing a terminal would obey.

    Unlike ``core.reading.printable`` it keeps ``&`` and ``<``: no markup is read here, and paths may hold them.
    """
    return "".join(char if char.isprintable() else "." for char in str(text)[:limit])


class Page:
    """Lines for standard output. ``width``: columns there are; ``unicode``: whether more than ASCII can be shown."""

    def __init__(self, *, width: int | None = None) -> None:
        self._console = Console(
            file=sys.stdout, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True
        )
        self.width = self._console.width
        self.unicode = speaks_unicode(self._console)
        self._lines: list[Text] = []

    def line(self, *parts: Part) -> None:
        """One line as it is, however long."""
        text = Text()
        for part in parts:
            text.append(*((part,) if isinstance(part, str) else part))
        text.rstrip()
        self._lines.append(text)

    def gap(self) -> None:
        """An empty line, but never two and none at the top."""
        if self._lines and self._lines[-1].plain:
            self._lines.append(Text())

    def prose(self, text: str, *, indent: int = 0, label: str = "", style: str = "") -> None:
        """Words wrapped between ``indent`` and the page's edge; a label stands in front of the first line."""
        hang = indent + (10 if label else 0)
        lines = wrapped(text, min(self.width, MAX_PROSE) - hang) or [""]
        for number, line in enumerate(lines):
            front = f"{'':{indent}}{label:10}" if label and not number else " " * hang
            self.line((front, "dim"), (line.replace("\xa0", " "), style))

    def listing(self, items: Iterable[str], *, indent: int = 0, label: str = "", style: str = "") -> None:
        """Items with commas between them, wrapped between items where those fit a line."""
        self.prose(", ".join(item.replace(" ", "\xa0") for item in items), indent=indent, label=label, style=style)

    def write(self) -> None:
        """Write the page to standard output, at once."""
        with self._console.capture() as captured:
            for line in self._lines:
                self._console.print(line)
        put(captured.get())


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns; a word that is longer keeps a line for itself, unbroken."""
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def put(text: str) -> None:
    """Write to standard output; a reader who has gone away (``| head``) has seen what it wanted."""
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(sentence: str) -> None:
    """A sentence to standard error, in the program's name: one line, or wrapped where somebody reads it."""
    console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
    name = "zerotrust: "
    lines = wrapped(name + sentence, console.width) if console.is_terminal else [name + sentence]
    console.print(Text("\n".join(lines)))


def speaks_unicode(console: Console) -> bool:
    """Whether encoding and locale both say so: Python alone claims UTF-8 even where the terminal cannot."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    locale = next((name for name in names if name), "")
    spoken = "utf-8" in locale.lower() or "utf8" in locale.lower()
    return spoken and console.encoding.lower().startswith("utf") and not console.legacy_windows


def columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width that each column needs."""
    return [max((len(cell) for cell in column), default=0) for column in zip(*rows, strict=True)]


class Progress:
    """Says on standard error what is going on: one moving line on a terminal, else a line for each change."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
        self._moves = self._console.is_terminal and not self._console.is_dumb_terminal
        self._spinner = Spinner("dots" if speaks_unicode(self._console) else "line")
        self._started = time.monotonic()
        self._said = ""
        self._live = Live(self, console=self._console, transient=True, refresh_per_second=8) if self._moves else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def tell(self, text: str) -> None:
        """What is going on now; the same words twice are said once."""
        if text == self._said:
            return
        self._said = text
        if self._live:
            self._live.refresh()
        else:
            self._console.print(Text(f"{self._elapsed:>5}  {text}"), soft_wrap=True)

    @property
    def _elapsed(self) -> str:
        passed = int(time.monotonic() - self._started)
        return f"{passed // 60}m{passed % 60:02}s" if passed >= 60 else f"{passed}s"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        frame = self._spinner.render(console.get_time())
        mark = frame if isinstance(frame, Text) else Text()
        line = Text.assemble(mark, " ", (f"{self._elapsed:>5}", "dim"), "  ", self._said)
        line.truncate(options.max_width, overflow="ellipsis" if speaks_unicode(console) else "crop")
        line.no_wrap = True
        yield line

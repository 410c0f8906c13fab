"""The commands and their options. The answer goes to standard output, everything else to standard error."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from zerotrust import __version__
from zerotrust.api.resource import seconds
from zerotrust.cli import documents, explain, formats, kubeconfig, report
from zerotrust.cli.exits import Exit, Stop
from zerotrust.cli.terminal import Page, Progress, complain, put
from zerotrust.cli.view import View

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
TIMEOUT = "10m"
_DURATION = re.compile(r"^(?=\d)(\d{1,4}h)?(\d{1,4}m)?(\d{1,5}s)?$")


class Duration(click.ParamType[float]):
    """``90s``, ``5m``, ``1h30m``, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not _DURATION.match(str(value)):
            self.fail(f"{value!r} is no duration: write 90s, 5m or 1h30m", param, ctx)
        return seconds(str(value))


def cluster_options(*formats_: str) -> Callable[[F], F]:
    """Options of every command that asks a cluster."""
    options = (
        click.option("-n", "--namespace", metavar="NS", help="Namespace; default: that of the kubeconfig's context."),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig; default: the current one."),
        output_option(*formats_),
    )

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def output_option(*choices: str) -> Callable[[F], F]:
    return click.option(
        "-o", "--output", type=click.Choice(choices), default=choices[0], show_default=True, help="Form of the answer."
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="zerotrust %(version)s")
def cli() -> None:
    """Prove that nobody gets in but those you trust.

    A ZeroTrustTest declares who is trusted at which boundary. The operator builds a sandbox, tries every way in
    that this trust does not cover, and writes a verdict.

    \b
    Examples:
      zerotrust explain test.yaml           what a test would try, without a cluster
      kubectl apply -f test.yaml
      zerotrust wait shop -n team-shop      wait for the verdict, for a pipeline
      zerotrust report shop -n team-shop    what failed, why it matters, what to do
      zerotrust run shop -n team-shop       run it again and wait

    \b
    Exit codes of report, run and wait:
      0    Pass: every case came out as declared
      1    Fail: somebody got in, or somebody trusted was refused
      2    Error: the run, the cluster or the connection failed
      3    Inconclusive: nothing is proven, or there is no verdict on this spec yet
      4    invalid, not found, suspended or not allowed: somebody must act
      124  no verdict within --timeout
    """


@cli.command("explain", short_help="The cases that a test would run, without a cluster.")
@click.argument("file", metavar="FILE")
@click.option("-w", "--wide", is_flag=True, help="Add every way tried, and for each rule motive, remedy, standards.")
@output_option("table", "json")
def explain_command(file: str, wide: bool, output: str) -> Exit:
    """Show the cases that the tests in FILE would run; - reads standard input. No cluster is asked.

    For each case: its id, which waivers and reports use; what must happen (an identity is let in, an attempt is
    refused, a server is proven); and how it is tried. An attempt that must be refused differs from one that gets
    in by exactly what is shown.

    \b
    Examples:
      zerotrust explain test.yaml
      kubectl get ztt shop -o yaml | zerotrust explain -
      zerotrust explain test.yaml -o json | jq -r '.tests[].cases[].id'

    Exits with 4 when a test is invalid, and says what to change.
    """
    found = documents.read(file)
    tests = [document.test for document in found if document.test]
    if output == "json":
        put(formats.dump({"tests": [explain.as_json(test) for test in tests]}))
    else:
        page, today = Page(), datetime.now(UTC).date().isoformat()
        for test in tests:
            explain.show(page, test, today, wide=wide)
        page.write()
    bad = [document for document in found if document.problem]
    if bad:
        raise Stop(Exit.NOT_ALLOWED, "; ".join(f"{documents.label(item)} is invalid: {item.problem}" for item in bad))
    return Exit.PASS


@cli.command("report", short_help="What came out of the last run, and what to do.")
@click.argument("name")
@cluster_options("table", "json", "junit")
def report_command(name: str, namespace: str | None, context: str | None, output: str) -> Exit:
    """Report what came out of test NAME's last run.

    The verdict first; then identities against boundaries, one mark a layer; then each kind of failure with what
    was seen, the one thing in which the attempt differed from a trusted one, why it matters and what to do.

    \b
    Examples:
      zerotrust report shop
      zerotrust report shop -n team-shop -o junit > report.xml
      zerotrust report shop -o json | jq -r '.results[] | select(.verdict == "Breach").id'

    Exits by the verdict: see zerotrust --help.
    """
    from zerotrust.cli import following  # noqa: PLC0415 - what needs no cluster need not load its client

    async def work() -> View:
        async with following.connected(context) as client:
            return await following.fetch(following.Place(client, where, name))

    where = namespace or kubeconfig.namespace(context)
    return _answer(work, f"{where}/{name}", output, brief=False)


def waiting(after_run: bool) -> Callable[[F], F]:
    """Options of ``wait`` and ``run``."""
    text = "Give up after this long (exit code 124); the run goes on." if after_run else "Give up after this long."
    return click.option("--timeout", type=Duration(), default=TIMEOUT, show_default=True, help=text)


@cli.command("wait", short_help="Wait for the verdict, as an exit code.")
@click.argument("name")
@waiting(after_run=False)
@cluster_options("table", "json", "junit")
def wait_command(name: str, timeout: float, namespace: str | None, context: str | None, output: str) -> Exit:
    """Wait for the verdict of test NAME on its present spec, and show what failed.

    Returns at once when that verdict is there and no run is under way or asked for. An older generation's verdict
    does not count. Progress goes to standard error. A cut connection is taken up again.

    \b
    Examples:
      kubectl apply -f test.yaml && zerotrust wait shop -n team-shop --timeout 5m
      zerotrust wait shop -o junit > report.xml

    Exits by the verdict, whatever spec.run.gate says: see zerotrust --help.
    """
    return _follow(name, timeout, namespace, context, output, ask=False)


@cli.command("run", short_help="Run a test again and wait for the verdict.")
@click.argument("name")
@waiting(after_run=True)
@click.option("--no-wait", is_flag=True, help="Ask for the run and return.")
@cluster_options("table", "json", "junit")
def run_command(
    name: str, timeout: float, no_wait: bool, namespace: str | None, context: str | None, output: str
) -> Exit:
    """Run test NAME again, wait for the new verdict, and show what failed.

    Sets annotation zerotrust.dev/rerun-requested-at on the test; its spec stays as it is.

    \b
    Examples:
      zerotrust run shop -n team-shop
      zerotrust run shop --timeout 5m -o junit > report.xml

    Exits by the verdict, whatever spec.run.gate says: see zerotrust --help.
    """
    if no_wait:
        return _ask(name, namespace, context)
    return _follow(name, timeout, namespace, context, output, ask=True)


def _ask(name: str, namespace: str | None, context: str | None) -> Exit:
    from zerotrust.cli import following  # noqa: PLC0415 - see report

    async def work() -> None:
        async with following.connected(context) as client:
            await following.ask(following.Place(client, namespace or kubeconfig.namespace(context), name))

    asyncio.run(work())
    complain(f"a run of {name} has been asked for")
    return Exit.PASS


def _follow(name: str, timeout: float, namespace: str | None, context: str | None, output: str, *, ask: bool) -> Exit:
    from zerotrust.cli import following  # noqa: PLC0415 - see report

    async def work() -> View:
        async with following.connected(context) as client:
            place = following.Place(client, where, name)
            after = await following.ask(place) if ask else None
            with Progress() as progress:
                return await following.verdict(place, timeout, progress, after=after)

    where = namespace or kubeconfig.namespace(context)
    return _answer(work, f"{where}/{name}", output, brief=True)


def _answer(work: Callable[[], Coroutine[Any, Any, View]], name: str, output: str, *, brief: bool) -> Exit:
    """Do the work and print what came out; a machine gets a document even when nothing did."""
    try:
        view = asyncio.run(work())
    except Stop as stop:
        _print(None, name, stop.code, output, stop.sentence, brief=brief)
        raise
    _print(view, name, view.exit, output, view.doubt, brief=brief)
    return view.exit


def _print(view: View | None, name: str, code: Exit, output: str, problem: str, *, brief: bool) -> None:
    if output == "json":
        put(formats.dump(formats.as_json(view, name, code, problem)))
    elif output == "junit":
        put(formats.junit(view, name, code, problem))
    elif view is not None:
        page = Page()
        report.show(page, view, brief=brief)
        page.write()


def run(arguments: list[str], program: str = "zerotrust") -> Exit:
    """Run one command line and return its exit code; every error ends in one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        ended = cli.main(arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        put(error.format_message())
        return Exit.NOT_ALLOWED
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx:
            complain(f"{error.format_message()} (see {error.ctx.command_path} --help)")
        else:
            complain(error.format_message())
        return Exit.NOT_ALLOWED
    except Stop as stop:
        complain(stop.sentence)
        return stop.code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    return ended if isinstance(ended, Exit) else Exit.PASS

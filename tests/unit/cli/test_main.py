"""The command as a process: what it answers without racing."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Timer

import pytest

from engines import __version__
from engines.config.load import load_config
from engines.config.settings import SETTINGS
from engines.config.value_types import Boolean
from tui.cli import exit_codes

ROOT = Path(__file__).parents[3]

CODE = "import sys; from tui.cli.main import run; sys.exit(run())"
"""What the installed command does."""

HEAVY = {"redis", "pymysql", "hiredis", "textual", "rich", "psutil", "asyncio", "multiprocessing"}


def telemon(
    *argv: str, environ: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE, *argv],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **(environ or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_version() -> None:
    done = telemon("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"telemon {__version__}\n", "")


def test_version_loads_nothing_heavy_and_takes_no_time() -> None:
    code = (
        "import sys\nfrom tui.cli.main import run\nsys.argv[1:] = ['--version']\n"
        "run()\nprint(*sys.modules, file=sys.stderr)"
    )
    begun_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    took_s = time.monotonic() - begun_s
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert done.stdout == f"telemon {__version__}\n"
    assert "tui" in loaded
    assert not loaded & HEAVY
    assert "engines.race.race" not in done.stderr.split()
    # 0.05 s on an idle machine, 0.2 s is promised; a busy one must not turn this red.
    assert took_s < 2.0


@pytest.mark.parametrize(
    "command", [(), ("run",), ("doctor",), ("prepare",), ("clean",), ("config",)]
)
def test_help_names_every_setting(command: tuple[str, ...]) -> None:
    done = telemon(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for setting in SETTINGS:
        if setting.flag:
            value = setting.value_type.metavar
            switch = f"[{value}]" if isinstance(setting.value_type, Boolean) else value
            assert f"{setting.flag} {switch}" in done.stdout
    assert "Traceback" not in done.stdout
    assert ("--format" in done.stdout) == (command == ("run",))
    assert ("--json" in done.stdout) == (command == ("doctor",))
    assert ("--yes" in done.stdout) == (command in [("prepare",), ("clean",)])
    for unbuilt in ("replay", "report", "compare"):
        assert unbuilt not in done.stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("run", "--writers", "many"), "--writers 'many': must be a whole number from 0 to 1024"),
        (("run", "--writers"), "expected one argument"),
        (("run", "--format", "xml"), "invalid choice: 'xml'"),
        (("race",), "no such command; they are run, doctor, prepare, clean, config"),
        (("docter",), "no such command; did you mean doctor?"),
        (("--fps", "0"), "--fps: must be a number from 0.1 to 30"),
        (("--color", "red"), "--color: invalid choice: 'red'"),
        (
            ("run", "--write", "3"),
            "unknown: --write (did you mean --writers?), a word that telemon has",
        ),
        (("run", "a\nb\x1b[2J"), "unknown: a word that telemon has no use for"),
        (("--lanes", "redis"), "--lanes 'redis': must be one or more of mysql, cached, durable"),
        (("config", "--config", "no-such-file.toml"), "no-such-file.toml: cannot be read: "),
        (("config", "--writers", "0", "--readers", "0"), "--writers 0 and --readers 0: "),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(argv: tuple[str, ...], said: str) -> None:
    done = telemon(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("telemon: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--stage", "run"), "--stage: for the race on the screen, and telemon run has none"),
        (("--hold", "--no-mouse", "config"), "--hold and --no-mouse: for the race on the screen, and telemon config"),
        (("--color", "none", "doctor"), "--color: for the race on the screen, and telemon doctor has none"),
    ],
)  # fmt: skip
def test_options_of_the_screen_are_refused_where_there_is_none(
    argv: tuple[str, ...], said: str
) -> None:
    done = telemon(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"telemon: {said}")
    assert done.stderr.count("\n") == 1


WITHOUT_RACE = (
    "import sys\nfrom tui.cli import main, run\n"
    "def raced(settings, form): print('raced'); return 0\n"
    "run.run = raced\nsys.exit(main.run())"
)


def raced(*argv: str, environ: Mapping[str, str], terminal: bool) -> str:
    """All that the command says of a race that it is kept from."""
    keeper, slave = pty.openpty()
    streams = (slave, slave, slave)
    if not terminal:
        streams = (subprocess.DEVNULL, slave, slave)
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_RACE, *argv],
        cwd=ROOT,
        env={"PATH": os.defpath, **environ},
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
    )
    os.close(slave)
    seen = b""
    # A screen would wait for somebody to leave it.
    patience = Timer(20, process.kill)
    patience.start()
    with suppress(OSError):  # the end of a terminal's other side
        while more := os.read(keeper, 65_536):
            seen += more
    os.close(keeper)
    code = process.wait(30)
    patience.cancel()
    assert code == 0
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_draw_gets_the_race_without_a_screen(term: str) -> None:
    assert raced(environ={"TERM": term}, terminal=True) == (
        f"telemon: no screen: TERM is '{term}', which cannot draw; this is what `telemon run` does\nraced\n"
    )


def test_what_has_no_effect_is_said() -> None:
    xterm = {"TERM": "xterm"}
    assert raced("--hold", "--fps", "3", environ=xterm, terminal=False) == (
        "telemon: warning: --hold and --fps: without a screen of no effect: there is no terminal\nraced\n"
    )
    assert raced("run", "--rate", "5", environ=xterm, terminal=False) == (
        "telemon: warning: --rate 5.0: of no effect in mode saturate; set mode to pace\nraced\n"
    )
    for argv in ((), ("run", "--rate", "5", "--mode", "pace")):
        assert raced(*argv, environ=xterm, terminal=False) == "raced\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "argv",
    [
        ("config",),
        ("config", "--figures"),
        ("--version",),
        ("--help",),
        ("run", "--help"),
        ("prepare",),
        ("clean",),
        ("doctor",),
        ("doctor", "--json"),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_said_to_be_that(argv: tuple[str, ...], unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", CODE, *argv],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "telemon: stdout cannot be written: No space left on device\n"


def test_bytes_that_are_no_text_are_refused_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, b"run", b"\xff"],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == (
        b"telemon: unknown: a word that telemon has no use for, not shown here as it may be a secret; see "
        b"telemon --help\n"
    )


def test_a_wrong_file_names_file_key_value_and_what_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "race.toml"
    file.write_text("batch = 0\n")
    done = telemon("run", environ={"TELEMON_CONFIG": str(file)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"telemon: {file}: batch = 0: must be a whole number from 1 to 10000\n")


def test_config_shows_every_setting_with_its_source(tmp_path: Path) -> None:
    file = tmp_path / "race.toml"
    file.write_text("batch = 7\n")
    done = telemon(
        *("--seed", "5", "config", "--config", str(file), "--sandbox-directory", "/d"),
        environ={"TELEMON_TTL": "1m"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = {
        line.partition("#")[0].strip(): line.partition("#")[2].strip()
        for line in done.stdout.splitlines()
    }
    assert shown["batch = 7"] == str(file)
    assert shown["seed = 5"] == "--seed"
    assert shown["ttl = 60.0"] == "TELEMON_TTL"
    assert shown['lanes = ["mysql", "cached", "durable"]'] == "default"
    assert shown['directory = "/d"'] == "--sandbox-directory"
    for setting in SETTINGS:
        assert setting.key.rpartition(".")[2] in done.stdout


def test_config_masks_what_is_secret_and_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path,
) -> None:
    file = tmp_path / "race.toml"
    file.write_text(
        '[mysql]\nhost = "h"\nuser = "u"\npassword = "planted-1"\n'
        '[durable]\nhost = "r"\npassword_command = ["vault", "planted-2"]\n'
    )
    file.chmod(0o644)
    done = telemon(
        "config",
        "--config",
        str(file),
        environ={"TELEMON_CACHED_REDIS_HOST": "c", "TELEMON_LANES": "mysql"},
    )
    assert done.returncode == 0
    assert "planted" not in done.stdout + done.stderr
    assert '# password = "********"' in done.stdout
    assert '# password_command = ["vault", "********"]' in done.stdout
    assert done.stderr == (
        f"telemon: warning: {file}: holds mysql.password, and others can read it; chmod 600 it, or use password_env, "
        "password_file or password_command\n"
    )
    # What is shown is a configuration still, without the secrets.
    file.write_text(done.stdout)
    assert load_config({}, {}, str(file)).mysql.host == "h"


def test_what_config_shows_is_a_configuration(tmp_path: Path) -> None:
    argv = (
        *("--preset", "deck", "--lanes", "durable,mysql", "--ttl", "1ms", "--duration", "90"),
        *("--sandbox-directory", '/a "b"\\\tc', "--sandbox-port", "2000", "--seed", str(2**63 - 1)),
    )
    file = tmp_path / "shown.toml"
    file.write_text(telemon("config", *argv).stdout)
    race = load_config({}, {}, str(file))
    flags = {
        name.removeprefix("--").replace("sandbox-", "sandbox."): text
        for name, text in zip(argv[::2], argv[1::2], strict=True)
    }
    assert race == load_config(flags, {})
    assert race.sandbox.directory == Path('/a "b"\\\tc')


def test_flags_before_and_after_the_command_both_count() -> None:
    shown = telemon("--writers", "3", "--batch", "5", "config", "--writers", "2").stdout
    assert "writers = 2 " in shown
    assert "batch = 5 " in shown


def test_a_reader_who_leaves_is_not_worth_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", CODE, "config"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_closed_streams_are_no_crash() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -c "{CODE}" config <&- >&- 2>&-'],
        cwd=ROOT,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0


UNEXPECTED = (
    "import sys\nfrom tui.cli import main as cli\n"
    "def broken(*_): raise LookupError('no\\nluck')\n"
    "cli.parse = broken\nsys.exit(cli.run())"
)


QUOTING = (
    "import sys\nfrom tui.cli import main as cli\nfrom engines.endpoints.redaction import register\n"
    "register('hunter2'); register('correct-horse-battery')\n"
    "def broken(*_): raise LookupError('it said hunter2 and horse-battery' + chr(27) + '[2J')\n"
    "cli.parse = broken\nsys.exit(cli.run())"
)


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_error_shows_no_secret_and_moves_no_cursor(debug: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUOTING],
        cwd=ROOT,
        env={**os.environ, "TELEMON_DEBUG": debug},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "it said ******** and ********" in done.stderr
    assert "hunter2" not in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())


def test_an_unexpected_error_is_one_line_and_its_traceback_is_there_for_the_asking() -> None:
    def run(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", UNEXPECTED],
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    short = run({"TELEMON_DEBUG": ""})
    assert (short.returncode, short.stdout) == (1, "")
    assert short.stderr == (
        "telemon: internal error: LookupError: no luck (TELEMON_DEBUG=1 shows where)\n"
    )
    long = run({"TELEMON_DEBUG": "1"})
    assert long.returncode == 1
    assert "Traceback" in long.stderr


@pytest.mark.parametrize("hidden", [None, 0, 1, 2])
def test_a_terminal_is_one_only_where_all_three_streams_are(hidden: int | None) -> None:
    code = "import os; from tui.cli.main import _on_terminal; os._exit(10 + _on_terminal())"
    keeper, terminal = pty.openpty()
    null = os.open(os.devnull, os.O_RDWR)
    streams = [null if number == hidden else terminal for number in range(3)]
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            timeout=30,
            check=False,
        )
    finally:
        for descriptor in (keeper, terminal, null):
            os.close(descriptor)
    assert done.returncode == (11 if hidden is None else 10)


def test_config_lists_the_figures_of_a_result() -> None:
    done = telemon("config", "--figures")
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["figure", "roles", "unit", "better", "meaning"]
    assert any(line.startswith("service_us.p99 ") for line in lines)
    assert not any(line.startswith("batch") for line in lines)


@pytest.mark.parametrize(
    "argv", [("--help",), ("run", "--help"), ("config",), ("doctor",)], ids=" ".join
)
def test_a_reader_who_has_gone_is_no_error_to_speak_of(argv: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", CODE, *argv],
        cwd=ROOT,
        env={"PATH": os.defpath},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (exit_codes.BROKEN_PIPE, "")

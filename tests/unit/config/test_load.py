"""Settings: what is taken from where, and what is refused in which words."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

import pytest

from engines.config import toml_file
from engines.config.errors import ConfigError
from engines.config.load import load_config
from engines.config.race_config import RaceConfig
from engines.config.settings import SERVER_TABLES, SETTINGS, SandboxConfig
from engines.config.value_types import Duration
from engines.text import one_line, quote_value, to_toml


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "race.toml"


def last_error(
    flags: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
    file: Path | str | None = None,
) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(flags or {}, environ or {}, None if file is None else str(file))
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    return message


def test_defaults_are_those_of_the_design() -> None:
    assert load_config({}, {}) == RaceConfig(
        preset="fair",
        lanes=("mysql", "cached", "durable"),
        writers=4,
        readers=8,
        processes=1,
        batch=100,
        ttl_s=120.0,
        seed=1,
        warmup_s=2.0,
        duration_s=None,
        sandbox=SandboxConfig(directory=None, port=None),
    )


def test_the_table_and_the_race_have_the_same_fields_and_defaults() -> None:
    own = {setting.field: setting.default for setting in SETTINGS if not setting.table}
    parts = {table.replace(".", "_") for table in (*SERVER_TABLES, "sandbox")}
    assert own.keys() == {field.name for field in fields(RaceConfig)} - parts - {
        "sources",
        "warnings",
    }
    assert own == {name: getattr(RaceConfig(), name) for name in own}
    for table in (*SERVER_TABLES, "sandbox"):
        part = getattr(RaceConfig(), table.replace(".", "_"))
        below = {setting.field: setting.default for setting in SETTINGS if setting.table == table}
        assert below == {field.name: getattr(part, field.name) for field in fields(part)}


def test_flag_before_environment_before_file_before_default(file: Path) -> None:
    file.write_text("writers = 11\nreaders = 12\nbatch = 13\n")
    race = load_config(
        {"writers": "31"}, {"TELEMON_WRITERS": "21", "TELEMON_READERS": "22"}, str(file)
    )
    assert (race.writers, race.readers, race.batch, race.seed) == (31, 22, 13, 1)
    sources = {key: source for key, _, source in race.items()}
    assert sources["writers"] == "--writers"
    assert sources["readers"] == "TELEMON_READERS"
    assert sources["batch"] == str(file)
    assert sources["seed"] == "default"
    assert list(sources) == [setting.key for setting in SETTINGS]


def test_a_value_that_equals_the_default_still_knows_its_source() -> None:
    race = load_config({}, {"TELEMON_SEED": "1"})
    assert ("seed", 1, "TELEMON_SEED") in list(race.items())


def test_an_empty_variable_is_no_value() -> None:
    assert load_config({}, {"TELEMON_WRITERS": "", "TELEMON_CONFIG": ""}).writers == 4


def test_every_setting_from_a_file(file: Path) -> None:
    file.write_text(
        'preset = "deck"\nlanes = ["durable", "mysql"]\nwriters = 2\nreaders = 3\nprocesses = 2\nbatch = 7\n'
        'ttl = "500ms"\nseed = 0x10\nwarmup = 0\nduration = 1.5\nmode = "pace"\nrate = 250.5\n'
        'heats = true\nrounds = 3\nkeys = "hot-set"\nzipf_exponent = 1.1\nhot_keys = 0.1\nhot_operations = 0.9\n'
        'ttl_jitter = 0.05\ncache = "filled"\n[sandbox]\ndirectory = "data"\nport = 17000\n'
    )
    assert load_config({}, {}, str(file)) == RaceConfig(
        preset="deck",
        lanes=("mysql", "durable"),
        writers=2,
        readers=3,
        processes=2,
        batch=7,
        ttl_s=0.5,
        seed=16,
        mode="pace",
        rate_per_s=250.5,
        heats=True,
        rounds=3,
        keys="hot-set",
        zipf_exponent=1.1,
        hot_keys=0.1,
        hot_operations=0.9,
        ttl_jitter=0.05,
        cache="filled",
        warmup_s=0.0,
        duration_s=1.5,
        sandbox=SandboxConfig(file.parent / "data", 17000),
    )


def test_every_setting_from_the_environment_and_from_flags() -> None:
    texts = {
        "preset": "deck",
        "lanes": " durable,mysql",
        "writers": "2",
        "readers": "3",
        "processes": "2",
        "batch": "7",
        "ttl": "1.5",
        "seed": "16",
        "mode": "pace",
        "rate": "250",
        "heats": "true",
        "rounds": "3",
        "keys": "zipfian",
        "zipf_exponent": "1.5",
        "hot_keys": ".25",
        "hot_operations": "1",
        "ttl_jitter": "0.5",
        "cache": "filled",
        "warmup": "0",
        "duration": "2m",
        "sandbox.directory": "~/data",
        "sandbox.port": "17000",
    }
    expected = RaceConfig(
        preset="deck",
        lanes=("mysql", "durable"),
        writers=2,
        readers=3,
        processes=2,
        batch=7,
        ttl_s=1.5,
        seed=16,
        mode="pace",
        rate_per_s=250.0,
        heats=True,
        rounds=3,
        keys="zipfian",
        zipf_exponent=1.5,
        hot_keys=0.25,
        hot_operations=1.0,
        ttl_jitter=0.5,
        cache="filled",
        warmup_s=0.0,
        duration_s=120.0,
        sandbox=SandboxConfig(Path.home() / "data", 17000),
    )
    variables = {f"TELEMON_{key.replace('.', '_').upper()}": text for key, text in texts.items()}
    assert load_config({}, variables) == expected
    assert load_config(texts, {}) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("0.25", 0.25),
        (".5s", 0.5),
        ("1 s", 1.0),
        ("1.0004s", 1.0),
        ("720h", 2_592_000.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert load_config({"ttl": text}, {}).ttl_s == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-1",
        "1d",
        "0",
        "0.4ms",
        "nan",
        "inf",
        "1e3",
        "1,5",
        "721h",
        "٣s",
        "9" * 400,
        "1\n2",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    assert last_error({"ttl": text}).startswith("--ttl ")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("writers", "1025"),
        ("writers", "-1"),
        ("writers", "4.0"),
        ("writers", "1_0"),
        ("writers", "٣"),
        ("writers", "9" * 5000),
        ("writers", ""),
        ("processes", "0"),
        ("batch", "0"),
        ("batch", "10001"),
        ("seed", str(2**63)),
        ("lanes", ""),
        ("lanes", "mysql,"),
        ("lanes", "mysql,redis"),
        ("lanes", "mysql,mysql"),
        ("preset", "Fair"),
        ("preset", "fair\nseed = 2"),
        ("sandbox.port", "1023"),
        ("sandbox.port", "50001"),
        ("sandbox.directory", " "),
        ("sandbox.directory", "a\0b"),
        ("sandbox.directory", "~no-such-user-here/x"),
    ],
)
def test_refused_text_names_the_flag_or_variable_and_what_is_allowed(key: str, text: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.key == key)
    assert last_error({key: text}).startswith(f"{setting.flag} ")
    assert last_error({key: text}).endswith(f": must be {setting.value_type.allowed}")
    if text:
        assert last_error({}, {setting.env: text}).startswith(f"{setting.env}=")


@pytest.mark.parametrize(
    ("toml_text", "key", "value"),
    [
        ("writers = true", "writers", "True"),
        ('writers = "4"', "writers", "'4'"),
        ("writers = 4.0", "writers", "4.0"),
        ("writers = -1", "writers", "-1"),
        ("writers = [4]", "writers", "[4]"),
        ("writers.x = 4", "writers", "{'x': 4}"),
        ("seed = 9223372036854775808", "seed", "9223372036854775808"),
        (f"seed = 0x{'f' * 9000}", "seed", "(int too large to show)"),
        ("ttl = nan", "ttl", "nan"),
        ("ttl = inf", "ttl", "inf"),
        ("ttl = -inf", "ttl", "-inf"),
        ("ttl = true", "ttl", "True"),
        ("ttl = 0", "ttl", "0"),
        (f"ttl = 1{'0' * 400}", "ttl", f"1{'0' * 56}..."),
        ("ttl = 07:32:00", "ttl", "datetime.time(7, 32)"),
        ('warmup = "1 day"', "warmup", "'1 day'"),
        ("lanes = []", "lanes", "[]"),
        ('lanes = "mysql"', "lanes", "'mysql'"),
        ('lanes = ["mysql", 1]', "lanes", "['mysql', 1]"),
        ('lanes = [["mysql"]]', "lanes", "[['mysql']]"),
        ('preset = "a\\nb\\u001b[2J"', "preset", "'a\\nb\\x1b[2J'"),
        ("preset = 1", "preset", "1"),
        ("sandbox.port = 80", "sandbox.port", "80"),
        ("[sandbox]\nport = '80'", "sandbox.port", "'80'"),
        ("[sandbox]\ndirectory = 1", "sandbox.directory", "1"),
    ],
)
def test_refused_value_in_a_file(file: Path, toml_text: str, key: str, value: str) -> None:
    file.write_text(toml_text)
    setting = next(setting for setting in SETTINGS if setting.key == key)
    assert last_error(file=file) == f"{file}: {key} = {value}: must be {setting.value_type.allowed}"


@pytest.mark.parametrize(
    ("toml_text", "said"),
    [
        ("writrs = 1", "writrs: unknown key; did you mean writers?"),
        ("[sandbox]\nprot = 1", "sandbox.prot: unknown key; did you mean sandbox.port?"),
        ('mood = "pace"', "mood: unknown key; "),
        ('mode = "pace"', "mode = pace: needs a rate; set rate too"),
        ("rate = true", "rate = True: must be a number from 0.1 to 1e+06"),
        ("rate = nan", "rate = nan: must be a number from 0.1 to 1e+06"),
        ('mode = "pace"\nrate = 0', "rate = 0: must be a number from 0.1 to 1e+06"),
        ("hot_keys = 0", "hot_keys = 0: must be a number from 0.001 to 1"),
        ("heats = 1", "heats = 1: must be true or false"),
        ('"" = 1', "'': unknown key; the keys are preset, lanes, "),
        ('"a\\nb" = 1', "'a\\nb': unknown key; "),
        (f"{'x' * 500} = 1", "unknown key; "),
        ('"sandbox.port" = 1', "unknown key; write sandbox.port, without the quotes"),
        ("sandbox = 1", "sandbox = 1: must be a table, [sandbox]"),
        ("[[sandbox]]\nport = 17000", "must be a table, [sandbox]"),
        ("writers", "not TOML: "),
        ("writers = 1\nwriters = 2", "not TOML: "),
        (f"writers = {'9' * 9000}", "not TOML: "),
        (f"a = {'[' * 9000}", "nested too deeply"),
        ("a = 0000-99-99", "not TOML: "),
    ],
)
def test_files_that_are_no_configuration(file: Path, toml_text: str, said: str) -> None:
    file.write_text(toml_text)
    message = last_error(file=file)
    assert message.startswith(f"{file}: ")
    assert said in message
    assert len(message) < 600


def test_files_that_cannot_be_read(file: Path) -> None:
    assert last_error(file=file) == f"{file}: cannot be read: No such file or directory"
    assert last_error(file=file.parent) == f"{file.parent}: cannot be read: Is a directory"
    file.write_bytes(b'preset = "\xff"')
    assert last_error(file=file) == f"{file}: not TOML: byte 10 is not UTF-8"
    assert "larger than" in last_error(file="/dev/zero")
    assert last_error(file="") == "--config '': must be the path of a file"
    assert last_error(environ={"TELEMON_CONFIG": "a\0b"}).startswith("TELEMON_CONFIG ")
    assert (
        last_error(file="no\nsuch\x1b")
        == "no\\nsuch\\x1b: cannot be read: No such file or directory"
    )


def test_a_mark_of_the_byte_order_is_no_part_of_the_configuration(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfwriters = 3\n")
    assert load_config({}, {}, str(file)).writers == 3
    file.write_bytes("writers = 3".encode("utf-16"))
    assert last_error(file=file) == f"{file}: not TOML: byte 0 is not UTF-8"


def test_a_pipe_is_read_to_its_end_however_it_comes(file: Path) -> None:
    os.mkfifo(file)

    def write() -> None:
        with file.open("w") as pipe:
            for part in ("writers", " = ", "3\n"):
                pipe.write(part)
                pipe.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    assert load_config({}, {}, str(file)).writers == 3
    writer.join()


@pytest.mark.parametrize("opened", [False, True], ids=["nobody writes", "nothing is written"])
def test_a_pipe_out_of_which_nothing_comes_is_given_up(
    file: Path, monkeypatch: pytest.MonkeyPatch, opened: bool
) -> None:
    os.mkfifo(file)
    monkeypatch.setattr(toml_file, "WAIT_S", 0.2)
    with ExitStack() as open_ends:
        if opened:
            end = os.open(file, os.O_RDWR | os.O_NONBLOCK)
            open_ends.callback(os.close, end)
        assert last_error(file=file) == (
            f"{file}: cannot be read: it is no file, and nothing came out of it within 0.2 s"
        )


def test_a_pipe_in_place_of_a_file_is_not_waited_for(file: Path) -> None:
    pipe = file.with_name("pipe")
    os.mkfifo(pipe)
    file.write_text(f'[durable]\nhost = "h"\ntls_ca = "{pipe}"\n')
    assert last_error(file=file) == (
        f'{file}: durable.tls_ca = "{pipe}": cannot be read: it is a pipe, which can be read only once'
    )
    file.write_text(f'[durable]\nhost = "h"\npassword_file = "{pipe}"\n')
    assert load_config({}, {}, str(file)).durable.password_file == pipe


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(file: Path) -> None:
    file.write_text("writers = 2")
    file.chmod(0)
    assert last_error(file=file) == f"{file}: cannot be read: Permission denied"


def test_the_usual_file_is_found_and_the_current_directory_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "telemon").mkdir()
    (tmp_path / "telemon" / "config.toml").write_text("writers = 9")
    assert load_config({}, {"XDG_CONFIG_HOME": str(tmp_path)}).writers == 9
    for name in ("telemon.toml", "config.toml", ".telemon.toml"):
        (tmp_path / name).write_text("writers = 7")
    monkeypatch.chdir(tmp_path)
    home = {"HOME": str(tmp_path / "home")}
    assert load_config({}, home).writers == 4
    # The XDG specification: a relative path is to be ignored.
    assert load_config({}, {"XDG_CONFIG_HOME": "."}).writers == 4
    assert load_config({}, {"HOME": "."}).writers == 4
    (tmp_path / "home" / ".config" / "telemon").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "telemon" / "config.toml").write_text("writers = 8")
    assert load_config({}, home).writers == 8
    assert load_config({}, {"XDG_CONFIG_HOME": ".", **home}).writers == 8
    assert load_config({}, {"TELEMON_CONFIG": "telemon.toml"}).writers == 7
    assert load_config({}, {"TELEMON_CONFIG": "telemon.toml"}, "telemon/config.toml").writers == 9


def test_settings_that_contradict_each_other(file: Path) -> None:
    assert last_error({"writers": "0"}, {"TELEMON_READERS": "0"}) == (
        "--writers 0 and TELEMON_READERS=0 (environment): at least one of the two must be more than 0"
    )
    file.write_text("processes = 5")
    assert last_error(file=file) == (
        f"{file}: processes = 5: must not be more than the connections that they share, "
        "default: writers = 4"
    )
    # Readers alone, as many as the processes.
    race = load_config({"writers": "0", "readers": "5"}, {}, str(file))
    assert (race.writers, race.readers, race.processes) == (0, 5, 5)
    with pytest.raises(ConfigError):
        RaceConfig(writers=0, readers=0)


def test_a_variable_that_is_almost_one_is_refused_and_a_stranger_is_not() -> None:
    assert last_error(environ={"TELEMON_WRITER": "2"}) == (
        "TELEMON_WRITER (environment): unknown; did you mean TELEMON_WRITERS?"
    )
    strangers = {"TELEMON_SERVICE_HOST": "10.0.0.1", "TELEMON_X": "1", "TELEMON_DEBUG": "1"}
    assert load_config({}, strangers) == RaceConfig()


def test_a_race_without_a_screen_has_an_end() -> None:
    race = load_config({}, {})
    assert race.duration_s is None
    assert race.headless().duration_s == 30.0
    assert ("duration", 30.0, "default without a screen") in list(race.headless().items())
    asked = load_config({"duration": "5"}, {})
    assert asked.headless() is asked


def test_a_race_can_be_sent_to_another_process() -> None:
    race = load_config({"lanes": "mysql", "sandbox.directory": "/tmp"}, {})
    copy = pickle.loads(pickle.dumps(race))
    assert copy == race
    assert list(copy.items()) == list(race.items())


def test_settings_in_a_result_have_units_in_their_names_and_plain_values() -> None:
    race = load_config({"sandbox.directory": "/data", "lanes": "cached"}, {})
    assert race.to_json() == {
        "preset": "fair",
        "lanes": ["cached"],
        "writers": 4,
        "readers": 8,
        "processes": 1,
        "batch": 100,
        "ttl_s": 120.0,
        "seed": 1,
        "mode": "saturate",
        "rate_per_s": None,
        "heats": False,
        "rounds": 2,
        "keys": "uniform",
        "zipf_exponent": 0.99,
        "hot_keys": 0.2,
        "hot_operations": 0.8,
        "ttl_jitter": 0.0,
        "cache": "cold",
        "warmup_s": 2.0,
        "duration_s": None,
        "namespace": None,
        "sandbox": {"directory": "/data", "port": None},
    }


def test_importing_settings_imports_nothing_heavy() -> None:
    code = "import sys, engines.config.race_config; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "engines" in loaded
    assert not loaded & {"redis", "pymysql", "hiredis", "textual", "rich", "psutil", "asyncio"}


def test_values_are_quoted_in_one_short_line() -> None:
    assert quote_value("a\nb") == "'a\\nb'"
    assert len(quote_value("x" * 1000)) == 60
    assert quote_value([1 << 99_999]) == "(list too large to show)"
    assert one_line("a\r\n\u2028\x1b[0m\udcffz") == "a\\r\\n\\u2028\\x1b[0m\\udcffz"


def test_toml_of_a_value() -> None:
    assert to_toml(("a", "b")) == '["a", "b"]'
    assert to_toml(Path('/a "b"\\\n')) == '"/a \\"b\\"\\\\\\U0000000A"'
    with pytest.raises(TypeError):
        to_toml(None)


def test_bounds_of_a_duration_are_said_in_its_largest_unit() -> None:
    assert Duration(0.0, 90.0).allowed.endswith("from 0s to 90s")
    assert Duration(0.001, 7200.0).allowed.endswith("from 1ms to 2h")


def test_a_configuration_that_cannot_be_looked_at_is_no_secret(tmp_path: Path) -> None:
    """Else a race on private servers would pass for one on the configured ones."""
    hidden = tmp_path / ("n" * 300)
    found = load_config({}, {"XDG_CONFIG_HOME": str(hidden)})
    assert found.warnings == (
        f"{hidden}/telemon/config.toml: cannot be looked at (File name too long), and is not used",
    )
    assert load_config({}, {"XDG_CONFIG_HOME": str(tmp_path)}).warnings == ()
    (tmp_path / "telemon").touch()
    assert load_config({}, {"XDG_CONFIG_HOME": str(tmp_path)}).warnings == ()
    assert load_config({}, {"HOME": "nul\0"}).warnings == ()

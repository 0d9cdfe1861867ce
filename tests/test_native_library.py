"""The native op's library: compiled, kept, found, refused. A small op stands for the real one."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile

import pytest

from keras_optimizers.cli import main
from keras_optimizers.lowering.native import build, cache, choice, symbols, wheel

REAL = build.SOURCE
HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = os.path.join(HERE, "native_op", "small.cc")

pytestmark = pytest.mark.xdist_group("native library")


def has_compiler():
    try:
        build.find_compiler()
    except build.BuildError:
        return False
    return sys.platform == "linux"


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A cache of the test's own, and nothing set."""
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    return str(tmp_path / "cache")


def small_source(folder):
    """The small op's source in `folder`, with what the real one has for older systems."""
    os.makedirs(folder)
    for path in (SMALL, os.path.join(REAL, "older_systems.cc")):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The small op's source in place of the real one; returns its folder."""
    folder = small_source(str(tmp_path / "source"))
    monkeypatch.setattr(build, "SOURCE", folder)
    return folder


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The small op compiled once, in a folder that tests copy."""
    folder = tmp_path_factory.mktemp("native")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "SOURCE", small_source(str(folder / "source")))
        build.build(str(folder / "cache"))
    return str(folder / "cache")


@pytest.fixture
def filled(compiled, own_folder, source):
    """The test's cache, with the compiled library in it."""
    shutil.copytree(compiled, own_folder)
    return own_folder


def libraries_in(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".so"))


def python(script, source, **environment):
    """Run a script in a process of its own, with `source` as the op's source: what it printed."""
    beginning = f"""
        from keras_optimizers.lowering.native import build, cache, choice, library, verdict
        build.SOURCE = {source!r}
    """
    command = [sys.executable, "-W", "ignore", "-c"]
    text = textwrap.dedent(beginning) + textwrap.dedent(script)
    done = subprocess.run(
        command + [text],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, **environment),
        cwd=os.path.dirname(HERE),
    )
    return done.stdout.decode()


LOAD_AND_USE = """
    import tensorflow.compat.v1 as tf
    module = library.load()
    with tf.Graph().as_default(), tf.Session() as session:
        print("doubled", session.run(module.keras_optimizers_test_double([1.0, 2.5])))
"""


# Compiling.


@needs_compiler
@pytest.mark.slow
def test_a_library_is_compiled_once_and_then_found(filled, source):
    before = {name: os.stat(os.path.join(filled, name)).st_mtime for name in libraries_in(filled)}
    assert "doubled [2. 5.]" in python(LOAD_AND_USE, source)
    after = {name: os.stat(os.path.join(filled, name)).st_mtime for name in libraries_in(filled)}
    assert len(before) == 1 and before == after


@needs_compiler
@pytest.mark.slow
def test_a_library_that_is_there_needs_no_compiler(filled, source):
    assert "doubled [2. 5.]" in python(LOAD_AND_USE, source, PATH="/nowhere")


@needs_compiler
def test_another_source_makes_another_library(filled, source):
    with open(os.path.join(source, "small.cc"), "w") as file:
        file.write("#error stop here\n")
    assert cache.libraries(filled, build.wanted()) == []
    with pytest.raises(build.BuildError, match=r"failed: .*small\.cc:\d+:\d+: error: #error stop"):
        build.build()


@needs_compiler
def test_a_failure_is_remembered_until_it_is_asked_for_again(own_folder, source):
    with open(os.path.join(source, "small.cc"), "w") as file:
        file.write("#error stop here\n")
    with pytest.raises(build.BuildError):
        build.build()
    with pytest.raises(build.BuildError, match="`keras-optimizers build` tries again"):
        build.build()
    with pytest.raises(build.BuildError) as error:
        build.build(again=True)
    assert "tries again" not in str(error.value)
    assert libraries_in(own_folder) == []
    assert [name for name in os.listdir(own_folder) if name.startswith("building-")] == []


def damage(path, how):
    """Change a library, or its record."""
    if how == "record":
        path = path[: -len(".so")] + ".json"
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "wb") as file:
        file.write(whole[:1000] if how == "cut" else whole[:-10] + b"\1" * 10)


@needs_compiler
@pytest.mark.parametrize("how", ["cut", "changed", "record"])
def test_a_damaged_library_counts_as_not_there(filled, how):
    (name,) = libraries_in(filled)
    assert cache.libraries(filled, build.wanted()) == [os.path.join(filled, name)]
    damage(os.path.join(filled, name), how)
    assert cache.libraries(filled, build.wanted()) == []


@needs_compiler
@pytest.mark.slow
def test_a_damaged_library_is_compiled_again(filled, source):
    (name,) = libraries_in(filled)
    damage(os.path.join(filled, name), "cut")
    assert "doubled [2. 5.]" in python(LOAD_AND_USE, source)
    assert cache.record_of(os.path.join(filled, name)) is not None


@needs_compiler
@pytest.mark.slow
def test_of_two_processes_one_compiles_and_the_other_waits(own_folder, source):
    script = f"""
        from keras_optimizers.lowering.native import build
        build.SOURCE = {source!r}
        import subprocess
        started = []
        popen = subprocess.Popen
        build.subprocess.Popen = lambda *a, **k: started.append(1) or popen(*a, **k)
        path = build.build()
        print(len(started), path)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    lines = sorted(one.communicate()[0].decode().split() for one in both)
    # Asking for the compiler's version is one process; two files and linking are three more.
    assert [line[0] for line in lines] == ["1", "4"]
    assert lines[0][1] == lines[1][1]
    assert len(libraries_in(own_folder)) == 1


def test_a_folder_that_cannot_be_used_is_named(tmp_path, source, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(build, "find_compiler", lambda: build.Compiler("c++", "c++ 1.0"))
    with pytest.raises(build.BuildError, match=r"'.*file/x'.*KERAS_OPTIMIZERS_CACHE names another"):
        build.build(str(tmp_path / "file" / "x"))


# No compiler, a broken one, and other bits: a reason, and TensorFlow's own ops.


@pytest.mark.parametrize("command", [[], ["--json"]])
def test_build_without_a_compiler_says_what_to_install(monkeypatch, capsys, source, command):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["build"] + command) == 2
    errors = capsys.readouterr().err
    assert "no C++ compiler was found (looked for c++, g++, clang++)" in errors
    assert "apt-get install g++" in errors and "Traceback" not in errors


def test_a_compiler_that_cxx_names_is_the_only_one_looked_for(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.NoCompilerError, match="CXX=no-such-compiler"):
        build.find_compiler()


def test_a_compiler_that_does_not_run_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(build.BuildError, match=r"compiler .*false does not run"):
        build.find_compiler()


@pytest.mark.slow
def test_what_cannot_be_had_is_said_once_and_is_an_error_only_where_required(source):
    output = python(
        """
        print(library.load(), library.load(), choice.op_module(True))
        try:
            library.load(required=True)
        except library.NativeUnavailableError as error:
            print("error:", error)
        """,
        source,
        PATH="/nowhere",
    )
    assert "None None None" in output
    assert output.count("the native op is not used: no C++ compiler was found") == 1
    assert "error: The native op is required and cannot be had: no C++ compiler" in output


@needs_compiler
@pytest.mark.slow
def test_a_library_that_crashes_is_refused_in_a_process_of_its_own(own_folder, source):
    other = textwrap.dedent(
        """
        #include <cstdlib>
        namespace { struct Crash { Crash() { std::abort(); } } crash; }
        """
    )
    with open(os.path.join(source, "small.cc"), "w") as file:
        file.write(other)
    output = python("print(library.load(), 'goes on')", source)
    assert "the native op is not used: the process that compares its results ended" in output
    assert "None goes on" in output


# What is asked for.


@pytest.mark.parametrize(
    "value, argument, asked_for, required",
    [
        (None, False, False, False),
        (None, True, True, False),
        ("", False, False, False),
        ("0", True, True, False),
        ("1", False, True, False),
        ("require", False, True, True),
    ],
)
def test_the_argument_or_the_environment_asks(monkeypatch, value, argument, asked_for, required):
    if value is not None:
        monkeypatch.setenv(choice.VARIABLE, value)
    assert choice.is_asked_for(argument) is asked_for
    assert choice.is_required() is required


def test_a_value_that_means_nothing_is_refused(monkeypatch):
    monkeypatch.setenv(choice.VARIABLE, "yes")
    with pytest.raises(ValueError, match=r"KERAS_OPTIMIZERS_NATIVE must be 1 .* received: 'yes'"):
        choice.is_asked_for(False)


@pytest.mark.slow
def test_run_native_sets_the_environment_for_the_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os; print(os.environ.get('KERAS_OPTIMIZERS_NATIVE'))")
    command = [sys.executable, "-W", "ignore", "-m", "keras_optimizers", "run", "--quiet"]
    for options, given, expected in (
        (["--native"], None, "1"),
        (["--native"], "require", "require"),
        ([], None, "None"),
    ):
        environment = dict(os.environ, **({choice.VARIABLE: given} if given else {}))
        output = subprocess.check_output(command + options + [str(script)], env=environment)
        assert output.decode().strip() == expected


# Shipping.


@needs_compiler
def test_the_library_asks_for_no_newer_system_than_manylinux2014(compiled):
    (name,) = libraries_in(compiled)
    path = os.path.join(compiled, name)
    assert symbols.newest_versions(path)["GLIBC"] <= symbols.MANYLINUX2014["GLIBC"]
    assert any("tensorflow" in needed for needed in symbols.needed_libraries(path))
    assert symbols.beyond_manylinux2014(path) == []


@needs_compiler
def test_newer_symbols_than_manylinux2014s_are_named(compiled, monkeypatch):
    (name,) = libraries_in(compiled)
    monkeypatch.setitem(symbols.MANYLINUX2014, "GLIBC", (2, 1))
    (beyond,) = symbols.beyond_manylinux2014(os.path.join(compiled, name))
    assert beyond.startswith("GLIBC_2.")


@needs_compiler
@pytest.mark.slow
def test_a_wheel_is_found_before_anything_is_compiled(filled, source, tmp_path):
    path = wheel.make(str(tmp_path / "dist"))
    assert os.path.basename(path).endswith("-py3-none-manylinux2014_x86_64.whl")
    installed = str(tmp_path / "installed")
    subprocess.check_call(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed]
        + [path]
    )
    script = LOAD_AND_USE + "\n    print(library.find())"
    empty = str(tmp_path / "empty")
    output = python(script, source, PATH="/", PYTHONPATH=installed, KERAS_OPTIMIZERS_CACHE=empty)
    assert "doubled [2. 5.]" in output
    assert os.path.join(installed, "keras_optimizers_native", "tensorflow-") in output
    assert libraries_in(empty) == []


@needs_compiler
def test_a_wheel_made_twice_is_the_same_file(filled, tmp_path):
    first = wheel.make(str(tmp_path / "one"))
    second = wheel.make(str(tmp_path / "two"))
    with open(first, "rb") as one, open(second, "rb") as other:
        assert one.read() == other.read()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        (record,) = [name for name in archive.namelist() if name.endswith(".json")]
        assert json.loads(archive.read(record).decode())["minor"] in record


def test_python_without_wheel_is_bad_usage(capsys):
    assert main(["build", "--python", "python3"]) == 2
    assert "--python needs --wheel FOLDER" in capsys.readouterr().err


@needs_compiler
def test_a_python_that_does_not_run_is_named(filled, tmp_path):
    with pytest.raises(wheel.WheelError, match="'no-such-python' does not run"):
        wheel.make(str(tmp_path), ["no-such-python"])

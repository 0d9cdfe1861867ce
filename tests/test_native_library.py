"""The native op's library: compiled, kept, found, refused. Compilers and processes are real."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile

import pytest

from keras_optimizers.cli import main
from keras_optimizers.lowering.native import build, cache, choice, symbols, verdict, wheel

HERE = os.path.dirname(os.path.abspath(__file__))

pytestmark = pytest.mark.xdist_group("native library")


def has_compiler():
    try:
        build.find_compiler()
    except build.BuildError:
        return False
    return sys.platform == "linux"


def has_fma():
    with open("/proc/cpuinfo") as file:
        return " fma " in file.read()


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A cache of the test's own, and nothing set."""
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    return str(tmp_path / "cache")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of the op's source in place of the real one, to be changed; returns its folder."""
    folder = str(tmp_path / "source")
    shutil.copytree(build.SOURCE, folder)
    monkeypatch.setattr(build, "SOURCE", folder)
    return folder


def only(source, text):
    """Make `text` all that the source consists of."""
    shutil.rmtree(source)
    os.makedirs(source)
    with open(os.path.join(source, "op.cc"), "w") as file:
        file.write(textwrap.dedent(text))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The op compiled once, and found good, in a folder that tests copy."""
    folder = str(tmp_path_factory.mktemp("native") / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.FOLDER_VARIABLE, folder)
        assert verdict.of(build.build()) is None
    return folder


@pytest.fixture
def filled(compiled, own_folder):
    """The test's cache, with the compiled library in it."""
    shutil.copytree(compiled, own_folder)
    return own_folder


def libraries_in(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".so"))


def python(script, source=build.SOURCE, **environment):
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


TRAIN = """
    import tensorflow.compat.v1 as tf
    import keras_optimizers
    tf.disable_eager_execution()
    weight = tf.get_variable("weight", initializer=[1.0, 2.0], use_resource=True)
    optimizer = keras_optimizers.SGD(lr=0.25, native=True)
    step = tf.group(*optimizer.get_updates(tf.reduce_sum(weight * weight), [weight]))
    ops = [op.type for op in tf.get_default_graph().get_operations()]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step)
        print("trained", session.run(weight), "natively", "KerasOptimizersStep" in ops)
"""
TRAINED_NATIVELY = "trained [0.5 1. ] natively True"
TRAINED_OTHERWISE = "trained [0.5 1. ] natively False"


# Compiling.


@needs_compiler
@pytest.mark.slow
def test_a_library_is_compiled_once_and_then_found(filled):
    before = {name: os.stat(os.path.join(filled, name)).st_mtime for name in libraries_in(filled)}
    assert TRAINED_NATIVELY in python(TRAIN)
    after = {name: os.stat(os.path.join(filled, name)).st_mtime for name in libraries_in(filled)}
    assert len(before) == 1 and before == after


@needs_compiler
@pytest.mark.slow
def test_a_library_that_is_there_needs_no_compiler(filled):
    assert TRAINED_NATIVELY in python(TRAIN, PATH="/nowhere")


@needs_compiler
def test_another_source_makes_another_library(filled, source):
    only(source, "#error stop here")
    assert cache.libraries(filled, build.wanted()) == []
    with pytest.raises(build.BuildError, match=r"failed: .*op\.cc:\d+:\d+: error: #error stop"):
        build.build()


@needs_compiler
def test_a_failure_is_remembered_until_it_is_asked_for_again(own_folder, source):
    only(source, "#error stop here")
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
def test_a_damaged_library_is_compiled_again(filled):
    (name,) = libraries_in(filled)
    damage(os.path.join(filled, name), "cut")
    assert TRAINED_NATIVELY in python(TRAIN)
    assert cache.record_of(os.path.join(filled, name)) is not None


@needs_compiler
@pytest.mark.slow
def test_of_two_processes_one_compiles_and_the_other_waits(own_folder):
    script = """
        from keras_optimizers.lowering.native import build
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
    # Asking for the compiler's version is one process; each file and linking are one more.
    assert [int(line[0]) for line in lines] == [1, len(build.source_files(".cc")) + 2]
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
    only(
        source,
        """
        #include <cstdlib>
        namespace { struct Crash { Crash() { std::abort(); } } crash; }
        """,
    )
    output = python("print(library.load(), 'goes on')", source)
    assert "the native op is not used: the process that compares its results ended" in output
    assert "None goes on" in output


@needs_compiler
@pytest.mark.slow
@pytest.mark.skipif(not has_fma(), reason="this processor has no fused multiplication and addition")
def test_a_library_with_other_bits_is_not_used(own_folder, capsys, monkeypatch):
    flags = [flag for flag in build._FLAGS if not flag.startswith("-ffp-contract")]
    monkeypatch.setattr(build, "_FLAGS", (*flags, "-mfma", "-ffp-contract=fast"))
    assert main(["build"]) == 1
    refusal = re.compile(
        "not used: [^\n]* differ from those of TensorFlow's own ops|not used: it computes"
    )
    assert refusal.search(capsys.readouterr().err)
    output = python(f"\n    build._FLAGS = {build._FLAGS!r}" + TRAIN)
    assert len(refusal.findall(output)) == 1
    assert TRAINED_OTHERWISE in output


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
def test_a_wheel_is_found_before_anything_is_compiled(filled, tmp_path):
    path = wheel.make(str(tmp_path / "dist"))
    assert os.path.basename(path).endswith("-py3-none-manylinux2014_x86_64.whl")
    installed = str(tmp_path / "installed")
    subprocess.check_call(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed]
        + [path]
    )
    script = TRAIN + "\n    print(library.find())"
    empty = str(tmp_path / "empty")
    output = python(script, PATH="/", PYTHONPATH=installed, KERAS_OPTIMIZERS_CACHE=empty)
    assert TRAINED_NATIVELY in output
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


@pytest.mark.parametrize("changed", ["library.so", "program.py", "self_test.py"])
def test_a_verdict_counts_for_one_library_and_one_comparison(changed, tmp_path, monkeypatch):
    library = tmp_path / "library.so"
    library.write_bytes(b"made")
    before, checksum = verdict._key(str(library)), verdict.cache.checksum
    assert verdict._key(str(library)) == before
    monkeypatch.setattr(
        verdict.cache, "checksum", lambda path: checksum(path) + "changed" * path.endswith(changed)
    )
    assert verdict._key(str(library)) != before

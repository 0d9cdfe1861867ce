"""What tests/eras/matrix.py says of a cell: that it would notice a loader that loses state."""

import os
import sys

import numpy as np
import pytest

ERAS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "eras")


@pytest.fixture()
def cell(monkeypatch, tmp_path):
    """A cell of which the report says that it is inexact, and what its loader found."""
    monkeypatch.setattr(sys, "path", [ERAS, *sys.path])
    import matrix

    made = matrix.Cell("keras-2.3", "nadam", "keras-3", str(tmp_path))
    made.report = {"fields": [{"field": "m_schedule", "status": "lost"}]}
    recorded = np.load(made.recorded)
    found = {name.replace("state", "loaded"): recorded[name] for name in recorded.files}
    return made, found


def judge(cell, found, **more):
    np.savez(cell.output, **dict(dict(found, warnings=np.array([])), **more))
    cell.compare()
    return cell.is_as_said()


def test_a_cell_that_has_its_slots_is_as_said_though_its_training_differs(cell):
    cell, found = cell
    assert judge(cell, found, final_0=found["final_0"] + 1e-3)


def test_a_zeroed_slot_is_noticed_in_a_cell_that_is_reported_as_inexact(cell):
    cell, found = cell
    found["loaded_6"] = np.zeros_like(found["loaded_6"])
    assert not judge(cell, found)
    assert "lost slots" in cell.problem


def test_state_that_was_not_loaded_at_all_is_noticed_without_any_warning(cell):
    cell, found = cell
    assert not judge(cell, {n: v for n, v in found.items() if not n.startswith("loaded")})


def test_a_rescaled_velocity_counts_as_the_same_slot_but_another_direction_does_not(cell):
    import matrix

    velocity = np.array([[1.0, -2.0], [0.5, 3.0]])
    assert matrix.same_slot(velocity, -20 * velocity, rescaled=True)
    assert not matrix.same_slot(velocity, -20 * velocity, rescaled=False)
    assert not matrix.same_slot(velocity, velocity.T, rescaled=True)


def test_an_archive_holds_what_was_packed_and_no_time_or_owner(tmp_path):
    import tarfile

    from tests.checkpoint.files import archives

    folder = archives.folder_of("saved-model-2.4")
    path = str(tmp_path / "again.tar.xz")
    archives.pack(folder, path)
    with tarfile.open(path) as archive:
        entries = archive.getmembers()
        for entry in entries:
            with open(os.path.join(folder, entry.name), "rb") as original:
                assert archive.extractfile(entry).read() == original.read()
            assert (entry.mtime, entry.uid, entry.uname) == (0, 0, "")
    assert len(entries) == sum(len(names) for _, _, names in os.walk(folder))


def test_every_release_is_committed_with_all_its_cases():
    from tests.checkpoint.files import archives, problem

    for era in problem.RELEASE_ERAS:
        for case in problem.cases_of(era):
            assert os.path.exists(archives.recorded_of(era, case)), (era, case)


def test_a_part_of_the_page_s_table_takes_the_place_of_that_part_alone(monkeypatch):
    monkeypatch.setattr(sys, "path", [ERAS, *sys.path])
    import matrix

    old = (
        "| source | case | ours | keras-3 |\n| --- | --- | --- | --- |\n| a | x | 1 | refused |\n"
        "| a | y | 2 | ~3 |\n\nRefused:\n\n- no — x to keras-3\n\nApproximate (~):\n\n"
        "- far — y to keras-3"
    )
    new = (
        "| source | case | keras-3 | object-2.15 |\n| --- | --- | --- | --- |\n| a | x | 4 | 5 |\n"
        "| a | y | ~6 | 7 |\n\nRefused:\n\n- none\n\nApproximate (~):\n\n- near — y to keras-3"
    )
    assert matrix.joined(old, new) == (
        "| source | case | ours | keras-3 | object-2.15 |\n| --- | --- | --- | --- | --- |\n"
        "| a | x | 1 | 4 | 5 |\n| a | y | 2 | ~6 | 7 |\n\nRefused:\n\n- none\n\n"
        "Approximate (~):\n\n- near — y to keras-3"
    )
    assert matrix.joined(old, old) == old

"""Several runs on one page: what may be compared, means and spreads by hand, who is best."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ganvas.errors import RunError, UsageError
from ganvas.report import compare
from report_parts import FD, Page, row


@pytest.fixture
def measured(make_run: Callable[..., Path]) -> Callable[..., Path]:
    """A run with one figure."""

    def make(name: str, value: float, **more: object) -> Path:
        entry = {**FD, "value": value, **(more.pop("entry", None) or {})}  # pyright: ignore
        event = {"event": "evaluated", "step": 20, "seconds": 2.0, "metrics": {"FD[digits]": entry}}
        return make_run(
            name,
            rows=[row(10, g__loss=1.0), row(20, g__loss=1.0), event, row(30)],
            metrics={"FD[digits]": entry},
            grids=(30,),
            **more,
        )

    return make


def test_means_and_spread_over_seeds(measured: Callable[..., Path], tmp_path: Path) -> None:
    ours = [measured(f"gan-{seed}", value, seed=seed) for seed, value in enumerate((1.0, 2.0, 3.0))]
    theirs = [measured(f"wgan-{seed}", value, seed=seed, method="wgan") for seed, value in enumerate((10.0, 14.0))]
    found = compare([*ours, *theirs], tmp_path / "page.html")
    assert json.loads(json.dumps(found)) == found
    gan, wgan = found["groups"]
    assert (gan["name"], gan["seeds"], wgan["name"]) == ("gan", [0, 1, 2], "wgan")
    figures = gan["metrics"]["FD[digits]"]
    assert (figures["mean"], figures["std"], figures["values"], figures["reference"]) == (
        2.0,
        1.0,
        [1.0, 2.0, 3.0],
        0.1,
    )
    assert wgan["metrics"]["FD[digits]"]["std"] == pytest.approx(8**0.5)
    assert found["best"] == {"FD[digits]": ["gan"]}
    assert found["surroundings"] == {}
    assert found["settings"]["n_critic"] == {"wgan": 1}
    page = Page((tmp_path / "page.html").read_text()).check()
    assert "2.0 ± 1.0" in page.text and "12.0 ± 2.8" in page.text
    assert page.raw.count(">best<") == 1
    assert len(page.all("img")) == 2
    assert "FD[digits] against seconds" in page.text and "FD[digits] against images seen" in page.text


def test_nobody_is_best_within_the_spread(measured: Callable[..., Path], tmp_path: Path) -> None:
    runs = [measured(f"a{seed}", value, seed=seed) for seed, value in enumerate((1.0, 3.0))]
    runs += [measured(f"b{seed}", value, seed=seed, method="wgan") for seed, value in enumerate((2.0, 4.0))]
    found = compare(runs, tmp_path / "page.html")
    assert found["best"] == {"FD[digits]": []}
    assert "within the spread" in Page((tmp_path / "page.html").read_text()).check().text


def test_two_may_share_the_lead(measured: Callable[..., Path], tmp_path: Path) -> None:
    values = {"gan": (1.0, 1.2), "wgan": (1.1, 1.3), "lsgan": (5.0, 5.1)}
    runs = [
        measured(f"{method}{seed}", value, seed=seed, method=method)
        for method, pair in values.items()
        for seed, value in enumerate(pair)
    ]
    assert compare(runs, tmp_path / "page.html")["best"] == {"FD[digits]": ["gan", "wgan"]}
    assert (tmp_path / "page.html").read_text().count(">tied best<") == 2


def test_higher_may_be_better(measured: Callable[..., Path], tmp_path: Path) -> None:
    up = {"entry": {"better": "higher"}}
    runs = [measured(f"a{seed}", 0.5 + seed / 100, seed=seed, **up) for seed in (0, 1)]
    runs += [measured(f"b{seed}", 0.9 + seed / 100, seed=seed, method="wgan", **up) for seed in (0, 1)]
    assert compare(runs, tmp_path / "page.html")["best"] == {"FD[digits]": ["wgan"]}


def test_one_seed_gives_no_verdict(measured: Callable[..., Path], tmp_path: Path) -> None:
    found = compare([measured("a", 1.0), measured("b", 50.0, method="wgan")], tmp_path / "page.html")
    assert found["best"] == {"FD[digits]": []} and found["groups"][0]["metrics"]["FD[digits]"]["std"] is None
    assert "one seed cannot tell" in Page((tmp_path / "page.html").read_text()).check().text


def test_settings_part_groups_and_are_listed(measured: Callable[..., Path], tmp_path: Path) -> None:
    runs = [
        measured("a", 1.0),
        measured("b", 2.0, settings={"lr": 0.5}),
        measured("c", 3.0, seed=1, settings={"lr": 0.5}),
    ]
    found = compare(runs, tmp_path / "page.html")
    assert [(group["name"], len(group["runs"])) for group in found["groups"]] == [("gan (a)", 1), ("gan (b)", 2)]
    assert found["settings"] == {"lr": {"gan (a)": 0.0002, "gan (b)": 0.5}}


def test_other_machines_and_clocks_are_named(measured: Callable[..., Path], tmp_path: Path) -> None:
    runs = [
        measured("a", 1.0),
        measured("b", 2.0, method="wgan", threads=8, precision="bf16", budget={"steps": 99}),
    ]
    found = compare(runs, tmp_path / "page.html")
    assert set(found["surroundings"]) == {"threads", "precision", "budget"}
    assert found["surroundings"]["threads"] == {str(runs[0]): 1, str(runs[1]): 8}
    assert "They differ in: budget, threads, precision" in Page((tmp_path / "page.html").read_text()).check().text


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        ({"fingerprint": "e" * 64, "data": "emoji"}, "different data: digits and emoji"),
        ({"fingerprint": "e" * 64}, "fingerprints ffffffffffff and eeeeeeeeeeee"),
    ],
)
def test_unlike_runs_are_refused(
    measured: Callable[..., Path], tmp_path: Path, difference: dict[str, object], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        compare([measured("a", 1.0), measured("b", 1.0, **difference)], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_other_counts_are_shown_and_not_ranked(measured: Callable[..., Path], tmp_path: Path) -> None:
    """A value of 100 samples lies beside one of 250, with a note and the command that helps; nobody is best."""
    ours = [measured(f"a{seed}", 1.0 + seed / 10, seed=seed) for seed in (0, 1)]
    theirs = [measured(f"b{seed}", 9.0, seed=seed, method="wgan", entry={"n": 250}) for seed in (0, 1)]
    found = compare([*ours, *theirs], tmp_path / "page.html")
    assert found["best"] == {"FD[digits]": []}
    gan, wgan = (group["metrics"]["FD[digits]"] for group in found["groups"])
    assert (gan["mean"], gan["n"], gan["ranked"]) == (1.05, 100, False)
    assert (wgan["mean"], wgan["n"], wgan["ranked"]) == (9.0, 250, False)
    commands = "; ".join(f"ganvas evaluate {run} --samples 250" for run in ours)
    assert found["notes"] == [
        "FD[digits]: not ranked, because the runs were measured differently (n 100 and 250).",
        f"To rank them: {commands}",
    ]
    page = Page((tmp_path / "page.html").read_text()).check()
    assert "1 (n 100), 1.1 (n 100)" in page.text and "9 (n 250)" in page.text
    assert "No verdict by FD[digits]: the runs were measured differently" in page.text
    assert all(note in page.text for note in found["notes"]) and ">best<" not in page.raw
    assert "were measured by 100 and 250 samples" in page.text  # of the curves


def test_seeds_of_one_group_measured_differently_have_no_mean(measured: Callable[..., Path], tmp_path: Path) -> None:
    runs = [measured("a", 1.0), measured("b", 3.0, seed=1, entry={"n": 250})]
    (group,) = compare(runs, tmp_path / "page.html")["groups"]
    figure = group["metrics"]["FD[digits]"]
    assert (figure["mean"], figure["std"], figure["n"]) == (None, None, None)
    assert (figure["values"], figure["counts"]) == ([1.0, 3.0], [100, 250])


def test_other_counts_are_compared_at_the_reference_where_both_hold_it(
    measured: Callable[..., Path], tmp_path: Path
) -> None:
    """With 40 held-out images every run holds the value of 40 samples, however many more were measured."""
    runs = []
    for method, n, value, at_reference in (("gan", 100, 3.0, 5.0), ("wgan", 250, 2.0, 8.0)):
        entry = {"n": n, "reference_n": 40, "value_at_reference_n": at_reference}
        for seed in (0, 1):
            runs.append(measured(f"{method}{seed}", value, seed=seed, method=method, entry=entry))
    found = compare(runs, tmp_path / "page.html")
    assert [group["metrics"]["FD[digits]"]["mean"] for group in found["groups"]] == [5.0, 8.0]
    assert [group["metrics"]["FD[digits]"]["n"] for group in found["groups"]] == [40, 40]
    assert found["best"] == {"FD[digits]": ["gan"]}  # by their own counts it would be wgan
    (note,) = found["notes"]
    assert note.startswith("FD[digits]: compared by 40 samples of each run (n 100 and 250 were measured)")


def test_another_network_of_one_name_is_not_ranked(measured: Callable[..., Path], tmp_path: Path) -> None:
    runs = [measured("a", 1.0), measured("b", 2.0, method="wgan", entry={"network": "other"})]
    found = compare(runs, tmp_path / "page.html")
    assert "(network digits 1234 and other)" in found["notes"][0]
    assert found["notes"][1].count("ganvas evaluate") == 2  # both, by the network that is there now


def test_other_conditions_are_named_and_no_command_promises_to_change_them(
    measured: Callable[..., Path], tmp_path: Path
) -> None:
    runs = [measured("a", 1.0, entry={"level": 25}), measured("b", 2.0, method="wgan", entry={"level": 50})]
    (note,) = compare(runs, tmp_path / "page.html")["notes"]
    assert "(level 25 and 50)" in note


def test_another_measure_or_none(make_run: Callable[..., Path], measured: Callable[..., Path], tmp_path: Path) -> None:
    first = measured("a", 1.0)
    with pytest.raises(RunError, match=r"FD\[digits\] and FD\[mobilenet_v2\].*Measure both again: ganvas evaluate"):
        compare([first, make_run("b", metrics={"FD[mobilenet_v2]": FD})], tmp_path / "page.html")
    with pytest.raises(RunError, match=r"FD\[digits\] and SSIM.*Only runs whose methods are measured by the same"):
        compare([first, make_run("d", metrics={"SSIM": {"value": 0.5, "better": "higher"}})], tmp_path / "page.html")
    with pytest.raises(RunError, match="no measures yet"):
        compare([first, make_run("c")], tmp_path / "page.html")
    with pytest.raises(UsageError, match="two different runs"):
        compare([first, first], tmp_path / "page.html")


def test_hostile_names_stay_text(measured: Callable[..., Path], tmp_path: Path) -> None:
    bad = '<img src=x onerror=alert(1)></script><script>alert(2)</script>"'
    runs = [measured("a", 1.0, preset=bad, device=bad), measured("b", 1.0, preset=bad + "2")]
    compare(runs, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text()).check()
    assert len(page.all("img")) == 2 and "alert(2)" in page.text

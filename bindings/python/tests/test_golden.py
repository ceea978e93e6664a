"""The golden cases that the runner in C has, through the Python package."""
import pytest

import golden
import golden_entitlement  # noqa: F401
import golden_limiter  # noqa: F401
import golden_rating  # noqa: F401

from conftest import SOURCE

FOLDER = SOURCE / "tests/golden"


@pytest.mark.parametrize("name, least", [
    ("openmeter_rating", 140), ("kong_rate_limiting", 60),
    ("entitlement_engine", 30)])
def test_golden_cases(name, least, tmp_path):
    said = []
    done = golden.run([FOLDER / f"{name}.json"], FOLDER / "differences.md",
                      tmp_path, said.append)
    assert done["failed"] == 0, "\n".join(said)
    assert done["passed"] >= least, "\n".join(said)


def test_a_wrong_answer_is_seen(tmp_path):
    """The runner itself: cases that are changed fail."""
    for name, path in (("price_total", "total"), ("graduated_total",
                                                  "total")):
        found = [item for kind, item in golden.cases_of(
            FOLDER / "openmeter_rating.json") if kind == name]
        for item in found[:3]:
            item["expect"][path] = str(golden.Decimal(
                item["expect"][path]) + 1)
            with pytest.raises(AssertionError):
                golden.KINDS[name](item, tmp_path)

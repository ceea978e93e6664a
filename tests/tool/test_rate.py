"""rate: what a price makes of quantities, without a store."""
import json

import pytest

PACKAGE = '{"type": "package", "amount": "1", "quantity_per_package": "5000"}'


def test_rate(tool, files):
    price = files("price.json", PACKAGE)
    rows = [tool.json("rate", price, quantity, store=False)
            for quantity in ("0", "1", "5000", "5001", "0.5")]
    assert [float(row["totals"]["total"]) for row in rows] == [0, 1, 1, 2, 1]
    out, _ = tool.run("rate", price, "5001", store=False)
    assert out.splitlines()[0] == "5001 -> 2.00 USD"
    assert tool.run("rate", "-", "5001", stdin=PACKAGE, store=False)[0] == out


def test_rate_yaml(tool, files):
    price = files("price.yaml", "{type: unit, amount: 0.0002}")
    out, _ = tool.run("rate", price, "10000", store=False)
    assert out.startswith("10000 -> 2.00 USD")


def test_check(tool, files):
    good = files("good.json", PACKAGE)
    assert tool.run("rate", good, "--check", store=False)[0] == ""
    bad = files("bad.yaml", "{price: {type: package, amount: -1, "
                            "quantity_per_package: 0}, colour: red}")
    out, _ = tool.run("rate", bad, "--check", status=1, store=False)
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "colour", "price.amount", "price.quantity_per_package"]
    out, _ = tool.run("--json", "rate", bad, "--check", status=1, store=False)
    assert [json.loads(line)["code"] for line in out.splitlines()] == [
        "price_document_invalid", "price_amount_invalid",
        "price_package_quantity_invalid"]
    for words in (["1"], ["--sweep", "1..2"]):
        tool.refused("rate", good, "--check", *words, reason="--check",
                     status=2, store=False)
    tool.refused("rate", files("list.json", "[]"), "--check",
                 reason="must be an object", store=False)


def test_sweep(tool, files):
    price = files("price.json", PACKAGE)
    out, _ = tool.run("rate", price, "--sweep", "4999..5001", store=False)
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["4999", "5000", "5001"]
    assert [float(row[1]) for row in rows] == [1, 1, 2]
    out, _ = tool.run("rate", price, "--sweep", "0..10000:1000", store=False)
    assert len(out.splitlines()) == 11
    for text in ("", "5", "5..1", "-1..5", "1..5:0", "1..5x", "a..b",
                 "0..99999999999"):
        tool.refused("rate", price, "--sweep", text, reason="--sweep",
                     status=2, store=False)


def test_compare(tool, files):
    price = files("price.json", PACKAGE)
    other = files("other.json", '{"type": "unit", "amount": "0.0002"}')
    out, _ = tool.run("rate", price, "--compare", other, "--sweep",
                      "0..10000:5000", store=False)
    assert out == "0\t0\t0\t0\n5000\t1\t1\t0\n10000\t2\t2\t0\n"
    rows, _ = tool.run("--json", "rate", price, "--compare", other, "--sweep",
                       "1..1", store=False)
    assert '"difference": "-1"' in rows.replace('":"', '": "')
    out, _ = tool.run("rate", price, "--compare", other, "0.5", "5001",
                      store=False)
    assert out == "0.5\t1\t0\t-1\n5001\t2\t1\t-1\n"
    for quantity in ("-1", "x", "", "9" * 40):
        tool.refused("rate", price, quantity, "--compare", other,
                     reason="quantity", store=False)
    tool.refused("rate", price, "--requests", "-", "--compare", other,
                 reason="--compare", status=2, store=False)
    tool.refused("rate", price, "--compare", "nowhere.json", "--sweep", "1..1",
                 reason="nowhere.json", store=False)


def bars(out):
    """[quantity, total, columns of the bar] of each row."""
    rows = []
    for line in out.splitlines():
        assert len(line) <= 80
        words = line.split()
        bar = words.pop() if words[-1][0] in "\u2588\u2589\u258a\u258b\u258c" \
            "\u258d\u258e\u258f" else ""
        rows.append((words, bar))
    return rows


def test_plot(tool, files):
    price = files("price.json", '{"type": "unit", "amount": "1"}')
    out, _ = tool.run("rate", price, "--sweep", "0..80", "--plot", store=False)
    rows = bars(out)
    assert [words for words, _ in rows] == [[str(n), str(n)]
                                            for n in range(0, 81, 4)]
    # 72 columns are left: 4 of 80 is 3.6 of them, in eighths.
    assert rows[0][1] == ""
    assert rows[1][1] == "\u2588" * 3 + "\u258c"  # 28 eighths of 28.8
    assert rows[-1][1] == "\u2588" * 72
    other = files("other.json", '{"type": "unit", "amount": "0.5"}')
    out, _ = tool.run("rate", price, "--compare", other, "--sweep", "0..10:5",
                      "--plot", store=False)
    rows = bars(out)
    assert [words for words, _ in rows] == [
        ["0", "0", "A"], ["0", "B"], ["5", "5", "A"], ["2.5", "B"],
        ["10", "10", "A"], ["5", "B"]]
    assert rows[4][1] == "\u2588" * 69
    assert rows[5][1] == rows[2][1] == "\u2588" * 34 + "\u258c"
    free = files("free.json", '{"type": "free"}')
    out, _ = tool.run("rate", free, "--sweep", "7..7", "--plot", store=False)
    assert out == "7  0\n"
    long = files("long.json", '{"type": "unit", "amount": "%s"}' % ("9" * 33))
    out, _ = tool.run("rate", long, "--sweep", "0..3", "--plot", store=False)
    assert [len(bar) for _, bar in bars(out)] == [0, 14, 28, 41]
    for words in (["--plot", "1"], ["--plot", "--sweep", "0..5000:1"]):
        tool.refused("rate", price, *words, reason="--plot", status=2,
                     store=False)
    tool.refused("--json", "rate", price, "--plot", "--sweep", "0..1",
                 reason="--plot", status=2, store=False)


def test_requests(tool, files):
    price = files("price.json", PACKAGE)
    first = {"quantity": "5001"}
    out, _ = tool.run("rate", price, "--requests", "-", store=False,
                      stdin=json.dumps(first) + "\n\n{\"quantity\": \"1\"}\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [row["totals"]["total"] for row in answers] == ["2.00", "1.00"]
    booked = dict(answers[0]["lines"][0], id="line-1")
    later = files("later.ndjson", json.dumps(
        {"quantity": "10001", "booked": [booked]}))
    answer = tool.json("rate", price, "--requests", later, store=False)
    assert answer["totals"]["total"] == "1.00"
    assert tool.run("rate", price, "--requests", files("empty.ndjson", ""),
                    store=False)[0] == ""
    for line, reason in (("[]", "line 2"), ("{", "line 2"),
                         ("{}", "line 2: MET_E_INVALID: quantity"),
                         ('{"quantity": "1", "x": 1}', "line 2"),
                         ('{"quantity": "1", "quantity": "2"}', "line 2")):
        name = files("bad.ndjson", '{"quantity": "1"}\n' + line)
        _, err = tool.run("rate", price, "--requests", name, status=1,
                          store=False)
        assert reason in err
    for words in (["1"], ["--sweep", "1..2"], ["--currency", "EUR"]):
        tool.refused("rate", price, "--requests", later, *words,
                     reason="requests", status=2, store=False)


@pytest.mark.parametrize("content,reason", [
    ("", "no document"), ("[]", "MET_E_INVALID"), ("5", "MET_E_INVALID"),
    ('{"type": "package"', "price.json"), ('{"type": "gift"}', "type"),
    ('{"type": "unit", "amount": "-1"}', "amount"),
    ('{"type": "unit", "amount": "NaN"}', "amount"),
    ('{"type": "unit", "amount": NaN}', "amount"),
    ('{"type": "unit", "amount": "1", "amount": "2"}', "duplicate"),
    ('{"type": "unit", "amount": "1", "colour": "red"}', "colour"),
    ('{"type": "package", "amount": "1", "quantity_per_package": "0"}',
     "quantity_per_package")])
def test_bad_price(tool, files, content, reason):
    tool.refused("rate", files("price.json", content), "1", reason=reason,
                 store=False)


@pytest.mark.parametrize("quantity", ["", "-1", "NaN", "many", "1,5", "1e99",
                                      "9" * 60, "x" * 100000])
def test_bad_quantity(tool, files, quantity):
    tool.refused("rate", files("price.json", PACKAGE), quantity,
                 reason="quantity", store=False)


def test_bad_currency(tool, files):
    for text in ("", "usd", "XXXX", "$"):
        tool.refused("rate", files("price.json", PACKAGE), "1", "--currency",
                     text, reason="currency", store=False)


def test_rate_wrong_use(tool, files):
    price = files("price.json", PACKAGE)
    tool.refused("rate", price, reason="quantities", status=2, store=False)
    tool.refused("rate", price, "1", "--sweep", "1..2", reason="quantities",
                 status=2, store=False)
    tool.refused("rate", "/nothing/there", "1", reason="/nothing/there",
                 store=False)

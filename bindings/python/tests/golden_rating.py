"""Golden kinds of rating: lines, totals, series of splits and of runs."""
import re
from datetime import timedelta

import metering
from golden import Skip, expect, kind
from metering import values

TOTALS = ("amount", "charges_total", "discounts_total", "credits_total",
          "taxes_total", "taxes_inclusive_total", "taxes_exclusive_total",
          "total")
# Rules that the peer calls otherwise: its code names the wrong mode.
CODES = {"invoice_line_volume_split_not_supported":
         "invoice_line_graduated_split_not_supported",
         "price_tiers_without_open_end":
         "invoice_line_missing_open_ended_tier"}
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?\Z")


def inner_price(price):
    """The cases speak of the peer's inner price, where a flat one without a
    term is in advance; documents of ours are in arrears."""
    if price is None:
        return {"type": "free"}
    if price.get("type") == "flat" and price.get("payment_term") is None:
        return {**price, "payment_term": "in_advance"}
    return price


def price_of(given):
    card = {"price": inner_price(given.get("price"))}
    for name, ours in (("line_name", "name"), ("discounts", "discounts"),
                       ("unit_config", "unit_config"),
                       ("currency", "currency")):
        if given.get(name) is not None:
            card[ours] = given[name]
    return metering.Price(card)


def same_totals(expected, got):
    expect({**dict.fromkeys(TOTALS, "0"), **expected}, got, "totals:")


def same_lines(expected, answer):
    if "lines" in expected:
        assert len(expected["lines"]) == len(answer["lines"]), answer
        for line, got in zip(expected["lines"], answer["lines"]):
            expect({name: value for name, value in line.items()
                    if name != "totals"}, got)
            if "totals" in line:
                same_totals(line["totals"], got["totals"])
    if "totals" in expected:
        same_totals(expected["totals"], answer["totals"])


def same_error(expected, error):
    if isinstance(expected, str):
        code = re.split(r"[);]", error.reason.rpartition("(")[2])[0]
        expect(expected, CODES.get(code, code), "error:")


@kind("rate_line")
def rate_line(item, folder):
    given, expected = item["input"], item["expect"]
    options = given.get("options") or {}
    if not given.get("unit_config_enabled"):
        given = {**given, "unit_config": None}
    place = given["position"]
    request = {"quantity_before": given["usage"]["pre_line_quantity"],
               "already_billed": given.get("previously_billed_amount"),
               "is_first": place in ("single", "first"),
               "is_last": place in ("single", "last"),
               "policies": {"unit_conversion": "per_line"}}
    if options.get("ignore_minimum_commitment"):
        request["is_minimum_applied"] = False
    if not options.get("disable_credits"):
        request["credits"] = given.get("credits")
    request = {name: value for name, value in request.items()
               if value is not None}
    try:
        answer = price_of(given).rate(given["usage"]["line_quantity"],
                                      **request)
    except metering.MeteringError as error:
        if "error" not in expected:
            raise
        same_error(expected["error"], error)
        return
    assert "error" not in expected, "expected an error"
    same_lines(expected, answer)


@kind("price_total", "graduated_total")
def total(item, folder):
    given = item["input"]
    expect(item["expect"]["total"], price_of(given).totals(
        [values.Decimal(given["quantity"])])[0])


def hours(text):
    found = DURATION.match(text)
    if not found:
        raise Skip(f"{text} is no duration of days, hours and minutes")
    days, hour, minute = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hour, minutes=minute)


def same_quantities(wanted, answer):
    discount = answer.get("usage_discount")
    expect({name: value for name, value in wanted.items()
            if name not in ("lines", "totals")},
           {"line_quantity": answer["quantity"],
            "pre_line_quantity": answer["quantity_before"],
            "line_discounts": [] if discount is None else [
                {"child_id": discount["child_id"],
                 "quantity": discount["quantity"],
                 "pre_line_quantity": discount["quantity_before"]}]})


@kind("progressive_series")
def progressive(item, folder):
    """Each split is rated by itself, knowing the usage before it and the gross
    amount of the splits that were not deleted."""
    given = item["input"]
    price = price_of(given)
    billed = values.Decimal(0)
    splits, expected = given["splits"], item["expect"]["splits"]
    assert len(splits) == len(expected)
    for split, wanted in zip(splits, expected):
        answer = price.rate(
            split["metered_quantity"],
            quantity_before=split["metered_pre_line_quantity"],
            is_first=not hours(split["from"]),
            is_last=hours(split["to"]) == timedelta(days=1),
            already_billed=billed)
        same_lines(wanted, answer)
        same_quantities(wanted, answer)
        if not split.get("deleted_afterwards"):
            billed += answer["totals"]["amount"]


def period(pair):
    return {"from": pair[0], "to": pair[1]}


def series(item, by_period):
    given = item["input"]
    phases, expected = given["phases"], item["expect"]["phases"]
    price = price_of(given)
    booked = []
    assert len(phases) == len(expected)
    for i, (phase, wanted) in enumerate(zip(phases, expected)):
        request = {"is_minimum_applied": i + 1 == len(phases),
                   "booked": list(booked)}
        if by_period:
            known = phase["cumulative_quantities"]
            quantity = known[i]
            request["period"] = period(phase["service_period"])
            request["earlier_runs"] = [
                {name: value for name, value in (
                    ("id", earlier.get("run_id")),
                    ("period", period(earlier["service_period"])),
                    ("quantity", known[k])) if value is not None}
                for k, earlier in enumerate(phases[:i])]
            wanted = {**wanted, "lines": [
                {**line, "service_period": period(line["service_period"])}
                for line in wanted["lines"]]}
        else:
            quantity = phase["cumulative_quantity"]
        answer = price.rate(quantity, **request)
        for k, line in enumerate(answer["lines"]):
            line = {**line, "id": f"phase-{i + 1}-line-{k + 1}"}
            credits = phase.get("booked_credits")
            if credits is not None and credits["line_index"] == k:
                amount = values.Decimal(credits["amount"])
                line["totals"] = {
                    **line["totals"], "credits_total": amount,
                    "total": line["totals"]["total"] - amount}
            booked.append(line)
        if not by_period:  # all is booked on the run's own period
            for line, like in zip(answer["lines"], wanted.get("lines", [])):
                line["service_period"] = phase["service_period"]
        same_lines(wanted, answer)


@kind("delta_series")
def delta(item, folder):
    series(item, False)


@kind("period_preserving_series")
def by_period(item, folder):
    series(item, True)


def issues(item, card):
    found = metering.check_price(card)
    codes = [issue["code"] for issue in found]
    expect(item["expect"], {"valid": not codes, "errors": codes,
                            "error": codes[0] if codes else None})


@kind("validate_price")
def validate_price(item, folder):
    issues(item, {"price": item["input"]["price"] or {"type": "free"}})


@kind("validate_discounts")
def validate_discounts(item, folder):
    given = item["input"]
    card = {"price": given.get("price"), "discounts": given.get("discounts")}
    issues(item, {name: value for name, value in card.items()
                  if value is not None})


@kind("validate_unit_config")
def validate_unit_config(item, folder):
    card = {"price": {"type": "unit", "amount": "1"}}
    if item["input"].get("unit_config") is not None:
        card["unit_config"] = item["input"]["unit_config"]
    issues(item, card)


@kind("package_count")
def packages(item, folder):
    given = item["input"]
    price = metering.Price({
        "type": "package", "amount": 1,
        "quantity_per_package": given["quantity_per_package"]})
    expect(item["expect"]["packages"],
           price.totals([values.Decimal(given["quantity"])])[0])


@kind("percentage")
def percentage(item, folder):
    given = item["input"]
    value = values.Decimal(given["value"])
    answer = metering.rate(
        {"price": {"type": "flat", "amount": value},
         "discounts": {"percentage": given["percentage"]}}, 0)
    applied = answer["totals"]["discounts_total"]
    expect(item["expect"], {"applied": applied, "markup": value + applied})


@kind("max_spend_line")
def max_spend(item, folder):
    given = item["input"]
    price = metering.Price({
        "price": {"type": "unit", "amount": given["per_unit_amount"],
                  "commitments": {"maximum": given["maximum"]}},
        "currency": given["currency"]})
    line, = price.rate(given["quantity"],
                       already_billed=given["billed_before"])["lines"]
    expect(item["expect"]["discounts"],
           [discount["amount"] for discount in line.get("discounts", ())])


@kind("unit_config_apply")
def convert(item, folder):
    given = item["input"]
    card = {"price": {"type": "unit", "amount": 1}}
    if given["unit_config"] is not None:
        card["unit_config"] = given["unit_config"]
    answer = metering.rate(card, given["raw"])
    expect({"invoiced": item["expect"]["invoiced"]},
           {"invoiced": answer["quantity"]})


@kind("usage_discount")
def usage_discount(item, folder):
    given = item["input"]
    answer = metering.rate(
        {"price": {"type": "unit", "amount": 0},
         "discounts": given["discounts"]},
        given["line_quantity"], quantity_before=given["pre_line_quantity"])
    same_quantities(item["expect"], answer)

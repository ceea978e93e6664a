"""Store, Recorder, Gateway, Ingest, prices: documents and counting."""
import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

import metering
from conftest import CATALOG, counted

UTC = timezone.utc


def test_open_close_and_open_again(path):
    with pytest.raises(metering.NotFoundError):
        metering.open(path)
    with metering.open(path, create=True) as store:
        assert not store.closed
        assert repr(store) == f"<metering.Store {str(path)!r}>"
        with metering.open(path) as twice:
            assert twice.stats()["store_id"] == store.stats()["store_id"]
        store.put_meter(CATALOG["meters"][0])
    assert store.closed and "closed" in repr(store)
    store.close()
    with pytest.raises(metering.ClosedError, match="store: is closed"):
        store.stats()
    with metering.open(str(path)) as store:
        assert [one["key"] for one in store.meters()] == ["api_requests"]


def test_documents_have_decimals_and_datetimes(store):
    plan = store.plan("free")
    card = plan["phases"][0]["rate_cards"][0]
    assert card["price"]["amount"] == Decimal("0.01")
    assert type(card["entitlement"]["limit"]) is Decimal
    assert plan["created_at"].tzinfo is not None
    assert abs(datetime.now(UTC) - plan["created_at"]) < timedelta(hours=1)
    again = {name: plan[name] for name in ("key", "name", "currency",
                                           "billing_cadence", "phases")}
    assert store.put_plan(again)["version"] == plan["version"]


def test_objects_one_by_one(store):
    store.put_feature({"key": "support", "name": "Support"})
    assert store.feature("support")["name"] == "Support"
    assert [one["key"] for one in store.features()] == ["example_service",
                                                        "support"]
    store.archive_feature("support")
    store.put_customer({"key": "rosario", "name": "Rosario",
                        "currency": "USD"})
    assert len(list(store.customers())) == 2
    begin = datetime.now(UTC)
    made = store.subscribe({"customer": {"key": "rosario"},
                            "plan": {"key": "free"}, "active_from": begin})
    assert store.subscription(made["id"])["status"] == "active"
    assert len(list(store.subscriptions("rosario"))) == 1
    ended = store.cancel_subscription(made["id"], next_billing_cycle=True)
    assert ended["active_to"] > begin
    assert store.customer_of_subject("consumer:ariel")["key"] == "ariel"
    assert [one["name"] for one in store.entities("route")] == [
        "example_route"]
    assert store.entity("consumer", "ariel")["username"] == "ariel"
    store.remove_entity("consumer", "ariel")
    with pytest.raises(LookupError):
        store.entity("consumer", "ariel")
    store.remove_meter("tokens")
    with pytest.raises(metering.ConflictError) as caught:
        store.remove_meter("api_requests")
    assert caught.value.code == -6


def test_an_error_names_the_field(store):
    with pytest.raises(metering.InvalidError) as caught:
        store.put_meter({"key": "Bad Key", "name": "x",
                         "event_type": "e", "aggregation": "count"})
    assert (caught.value.name, caught.value.field) == ("MET_E_INVALID",
                                                     "meter.key")
    with pytest.raises(metering.InvalidError):
        store.put_meter("{")


@pytest.mark.parametrize("call, field", [
    (lambda s: s.put_plan({"phases": [{"rate_cards": [
        {"price": {"amount": 0.1}}]}]}), r"phases\[0\].rate_cards\[0\].price"
     ".amount"),
    (lambda s: s.usage("api_requests", from_=1.5), "from_"),
    (lambda s: s.settle(1.0), "cells_max"),
    (lambda s: s.entitlement("ariel", "example_service", 1.0), "at"),
    (lambda s: s.entitlement(1.0, "example_service"), "customer"),
    (lambda s: s.entitlement("ariel", 1.0), "feature"),
    (lambda s: s.plan("free", version=1.0), "version"),
    (lambda s: metering.rate({"type": "unit", "amount": 0.1}, 1), "amount"),
    (lambda s: metering.rate({"type": "unit", "amount": "0.1"}, 1.0),
     "quantity"),
    (lambda s: metering.Price({"type": "free"}).totals([1.0]), "quantities"),
    (lambda s: s.ingest().events([{"data": {"tokens": 1.5}}]),
     r"events\[0\].data.tokens"),
])
def test_a_float_raises_type_error_with_its_field(store, call, field):
    with pytest.raises(TypeError, match=f"^{field}: .*float"):
        call(store)


def test_a_time_without_a_zone_is_refused(store):
    naive = datetime(2026, 1, 1)
    with pytest.raises(ValueError, match="^at: .*time zone"):
        store.entitlement("ariel", "example_service", naive)
    with pytest.raises(metering.InvalidError, match="^active_from: .*zone") \
            as caught:
        store.subscribe({"active_from": naive})
    assert (caught.value.field, caught.value.code) == ("active_from", 0)


def test_a_recorder_counts_and_usage_has_rows(store):
    now = datetime.now(UTC)
    with store.recorder() as recorder:
        for i in range(10):
            recorder.add("prompt", "ariel", {"model": f"m{i % 2}"},
                         {"tokens": Decimal("1.5")}, now)
        recorder.add("prompt", subject="ariel", quantities={"tokens": 3},
                     at=int(now.timestamp()) * 10**9)
        with recorder.prepare("prompt", "ariel", {"model": "m0"}) as prepared:
            prepared.add({"tokens": 2})
            prepared.add({"tokens": Decimal("1e1")}, at=now)
    store.settle()
    rows = {row.dimensions["model"]: row.value
            for row in store.usage("tokens", group_by=["model"])}
    assert rows == {"": 3, "m0": Decimal("19.5"), "m1": Decimal("7.5")}
    row, = store.usage("tokens", subjects=["ariel"],
                       from_=now.replace(second=0, microsecond=0)
                       - timedelta(minutes=5),
                       to=now.replace(second=0, microsecond=0)
                       + timedelta(minutes=5), window="day")
    assert row.subject == "ariel" and row.value == 30
    assert row.to - row.from_ == timedelta(days=1)
    assert type(row.value) is Decimal and row.from_.tzinfo is not None


def test_a_batch_says_which_were_not_counted(store):
    events = [("prompt", "ariel", {"model": "m"}, {"tokens": i})
              for i in range(200)]
    events[150] = ("nobody", "ariel")
    events[151] = ("prompt", "", None, {"tokens": 1})
    with store.recorder() as recorder:
        assert recorder.add_many(iter(events[:100])) == {}
        bad = recorder.add_many(events[100:])
    assert sorted(bad) == [50, 51]
    assert isinstance(bad[50], metering.NotFoundError)
    assert isinstance(bad[51], metering.InvalidError)
    assert counted(store, "tokens") == sum(range(200)) - 150 - 151


def test_a_recorder_is_kept_open_by_what_needs_it(path):
    store = metering.open(path, create=True)
    store.apply({"meters": CATALOG["meters"]})
    recorder = store.recorder()
    prepared = recorder.prepare("kong.api_request", "ariel")
    store.close()
    recorder.close()
    with pytest.raises(metering.ClosedError):
        prepared.add()
    with pytest.raises(metering.ClosedError):
        recorder.add("kong.api_request", "ariel")
    prepared.close()
    with metering.open(path) as store:
        assert counted(store) == 0


def test_a_quantity_is_exact_or_refused(store):
    with store.recorder() as recorder:
        for value, error in ((1.5, TypeError), ("1", TypeError),
                             (True, TypeError), (None, TypeError),
                             (Decimal("NaN"), metering.InvalidError),
                             (Decimal("1e-30"), metering.MeteringError),
                             (1 << 70, metering.DecimalOverflowError)):
            with pytest.raises(error, match="quantities"):
                recorder.add("prompt", "ariel", None, {"tokens": value})
    assert counted(store, "tokens") == 0


def test_a_gateway_admits_and_counts(store):
    with store.gateway() as gateway:
        request = gateway.admit("GET", "/anything", {"apikey": "ariel-key"},
                                "127.0.0.1", host="h", query="a=1",
                                user_agent="test")
        assert request and request.status == 200
        assert (request.consumer, request.service, request.route) == (
            "ariel", "example_service", "example_route")
        assert request.upstream_query == b"a=1"
        names = dict(request.upstream_headers)
        assert names[b"X-Consumer-Username"] == b"ariel"
        assert b"RateLimit-Limit" in dict(request.response_headers)
        assert b"X-Consumer-Username" in request.drop_headers
        request.complete(200, response_size=10)
        assert request.is_completed
        with pytest.raises(metering.InvalidError, match="completed already"):
            request.complete()
        given_back = gateway.admit("GET", "/anything",
                                   [(b"ApiKey", b"ariel-key")])
        given_back.complete(served=False)
        refused = gateway.admit("GET", "/anything", [("apikey", "wrong")])
        assert not refused and refused.status == 401
        assert refused.reason == "BAD_KEY" and b"message" in refused.body
        with pytest.raises(metering.InvalidError, match="was refused"):
            refused.complete()
        assert gateway.admit("GET", "/nowhere").status == 404
        gateway.tick()
        stats = gateway.stats()
        assert (stats["requests"], stats["admitted"]) == (4, 2)
    assert counted(store) == 1
    left = store.entitlement("ariel", "example_service")
    assert left["has_access"] and left["balance"] == Decimal(999)
    assert len(list(store.entitlements("ariel"))) == 1


def test_a_gateway_admits_many(store):
    with store.gateway() as gateway:
        keys = ["ariel-key", b"ariel-key", None, "", "wrong", "x" * 600]
        found = gateway.admit_many(keys, "GET", "/anything")
        assert [(item.status, item.reason) for item in found] == [
            (200, ""), (200, ""), (401, "NO_KEY"), (401, "NO_KEY"),
            (401, "BAD_KEY"), (401, "BAD_KEY")]
        assert [item.error for item in found] == [None] * 6
        # One call leaves out what a decision says in words.
        assert (found[0].consumer, found[2].body) == ("", b"")
        found[0].complete(200)
        found[1].complete(served=False)
        with pytest.raises(metering.InvalidError, match="was refused"):
            found[2].complete()
        more = gateway.admit_many(("ariel-key",) * 1000, "GET", "/anything")
        assert [item.reason for item in more] == [""] * 999 + [
            "USAGE_LIMIT_REACHED"]
        for item in more[:999]:
            item.complete()
        assert gateway.admit_many([]) == []
        known = gateway.admit_many([None], "GET", "/anything", subject="us")
        known[0].complete()
        with pytest.raises(metering.LimitError, match="^keys: "):
            gateway.admit_many(["k"] * 4097)
        wrong = gateway.admit_many(["k"], subject="\0")[0]
        assert not wrong and wrong.status == 0
        assert isinstance(wrong.error, metering.InvalidError)
        for wrong in ("text", b"bytes", 5, [5], None):
            with pytest.raises(TypeError, match="^keys: "):
                gateway.admit_many(wrong)
        with pytest.raises(TypeError, match="keys"):
            gateway.admit_many()
        with pytest.raises(TypeError, match="in place of key"):
            gateway.admit_many(["k"], key="k")
    assert counted(store) == 1001


def test_the_host_may_know_the_key_and_the_subject(store):
    with store.gateway() as gateway:
        request = gateway.admit("GET", "/anything", key="ariel-key")
        assert request.consumer == "ariel"
        request.complete()
        request = gateway.admit("GET", "/anything", key="ariel-key",
                                subject="a team")
        request.complete()
    store.settle()
    assert {row.subject for row in store.usage(
        "api_requests", group_by=["subject"])} == {"consumer:ariel", "a team"}


def test_many_headers(store):
    headers = [(f"x-{i}", "v") for i in range(200)]
    with store.gateway() as gateway:
        request = gateway.admit("GET", "/anything",
                                headers + [("apikey", "ariel-key")])
        request.complete()
        with pytest.raises(ValueError, match="^headers: "):
            gateway.admit("GET", "/anything", headers * 50)


def test_a_forgotten_request_warns(store):
    with store.gateway() as gateway:
        with pytest.warns(ResourceWarning, match="never completed"):
            gateway.admit("GET", "/anything", {"apikey": "ariel-key"})


def test_events_with_ids_count_once(store):
    event = {"specversion": "1.0", "id": "1", "source": "//test",
             "type": "prompt", "subject": "ariel",
             "time": datetime.now(UTC), "data": {"tokens": Decimal("2.5")}}
    with store.ingest() as ingest:
        report = ingest.events([event, {**event, "id": "2"}, event])
        assert (report["accepted"], report["duplicate"]) == (2, 1)
        assert report["verdicts"] == ["accepted", "accepted", "duplicate"]
        assert store.event_cursor("log") is None
        at = metering.Cursor("log", 1, 7)
        ingest.events([{**event, "id": "3"}], at)
        assert store.event_cursor("log") == at
        lines = '{"specversion":"1.0"}\n{"bad'
        assert ingest.json(lines, lines=True)["invalid"] == 2
    assert counted(store, "tokens") == Decimal("7.5")
    assert store.explain_event("//test", "1")["status"] == "accepted"


def test_retained_events_are_listed_to_the_end(store):
    store.put_event_settings({"retain": "P1D"})
    now = datetime.now(UTC)
    with store.ingest() as ingest:
        ingest.events({"specversion": "1.0", "id": f"{i}", "source": "//t",
                       "type": "prompt", "subject": "ariel", "time": now,
                       "data": {"tokens": 1}} for i in range(1500))
    found = list(store.events(subject="ariel", from_=now - timedelta(hours=1)))
    assert len({item["event"]["id"] for item in found}) == 1500
    store.retract_event({"source": "//t", "id": "7", "reason": "r",
                         "actor": "a"})
    store.adjust_usage({"id": "fix", "meter": "tokens", "subject": "ariel",
                        "time": now, "value": Decimal("-99"), "reason": "r",
                        "actor": "a"})
    assert counted(store, "tokens") == 1400
    fix, = store.adjustments()
    assert fix["value"] == Decimal(-99)


def test_rating(store):
    found = metering.rate({"type": "unit", "amount": Decimal("0.0125")}, 1001,
                          policies={"preset": "stripe"})
    assert found["totals"]["total"] == Decimal("12.51")
    assert found["lines"][0]["quantity"] == 1001
    price = metering.Price({"type": "package", "amount": "1",
                            "quantity_per_package": "5000"})
    assert price.totals([0, 4999, Decimal("5000"), 5001]) == [0, 1, 1, 2]
    assert price.totals(range(0, 100000, 1000))[-1] == 20
    issues = metering.check_price({"type": "unit", "amount": "-1"})
    assert issues and issues[0]["field"]
    with pytest.raises(metering.InvalidError):
        metering.Price({"type": "nothing"})
    assert metering.check_price({"type": "free"}) == []


def test_invoices(store):
    with store.gateway() as gateway:
        gateway.admit("GET", "/anything", {"apikey": "ariel-key"}).complete()
    store.settle()
    draft = store.preview_invoice("ariel", open_period=True)
    assert draft["totals"]["total"] == Decimal("0.01")
    assert "0.01" in metering.render_invoice(draft)
    with pytest.raises(metering.ConflictError):
        store.finalize_invoice("ariel")
    assert list(store.invoices()) == []
    with pytest.raises(metering.NotFoundError):
        store.invoice("INV-0001")


def test_operators(store, tmp_path):
    assert store.check()["damaged"] == 0
    store.backup(tmp_path / "copy", without_secrets=True)
    with metering.open(tmp_path / "copy") as copy:
        assert copy.stats()["store_id"] == store.stats()["store_id"]
        with copy.gateway() as gateway:  # its keys do not work
            assert not gateway.admit("GET", "/anything", key="ariel-key")
    assert store.compact()["transactions"] >= 0
    assert store.usage_settings()["keep_minutes"]
    history = store.entitlement_history("ariel", "example_service",
                                        window="hour")
    assert history["feature_key"] == "example_service"


def test_a_closed_query_ends_and_frees(store):
    rows = store.usage("api_requests")
    rows.close()
    assert list(rows) == []
    assert next(store.usage("api_requests"), None) is None


def test_a_store_closed_during_a_call_of_another_thread(path):
    store = metering.open(path, create=True)
    store.apply({"meters": CATALOG["meters"]})
    begun = threading.Event()
    answers = []

    def settle():
        while True:
            try:
                store.settle()
            except metering.ClosedError as error:
                answers.append(error)
                return
            begun.set()

    threads = [threading.Thread(target=settle) for _ in range(4)]
    for one in threads:
        one.start()
    begun.wait()
    store.close()
    for one in threads:
        one.join()
    assert len(answers) == 4


def test_a_clock_stands_still_until_it_is_set(path):
    begin = datetime(2025, 1, 31, tzinfo=UTC)
    clock = metering.Clock(begin - timedelta(hours=1))
    with metering.open(path, create=True, clock=clock) as store:
        store.apply(CATALOG)
        clock.set(begin)
        with store.gateway() as gateway:
            request = gateway.admit("GET", "/anything",
                                    {"apikey": "ariel-key"})
            request.complete(200)
        clock.set(datetime(2025, 3, 1, tzinfo=UTC))
        store.settle()
        invoice = store.finalize_invoice("ariel")
        assert invoice["totals"]["total"] == Decimal("0.01")
        assert invoice["issued_at"] == metering.datetime_of(clock.utc_ns)
        assert [one["number"] for one in store.invoices("ariel")] == [
            "INV-0001"]
        with pytest.raises(metering.InvalidError, match="^at: "):
            clock.set(begin)
    with pytest.raises(TypeError, match="^clock: "):
        metering.open(path, clock=begin)


def test_keys_of_identities(store):
    assert metering.limiter_key("a", scope="bc") != metering.limiter_key(
        "ab", scope="c")
    one = metering.address_key("2001:db8::1")
    assert one == metering.address_key("2001:DB8:0:0:ffff::1")
    assert one != metering.address_key("2001:db8::1", prefix_v6=128)
    with pytest.raises(metering.InvalidError):
        metering.address_key("nowhere")


@pytest.fixture
def month(path):
    """A store in virtual time, with a month of one request."""
    clock = metering.Clock(datetime(2025, 1, 1, tzinfo=UTC))
    with metering.open(path, create=True, clock=clock) as store:
        store.apply(CATALOG)
        clock.set(datetime(2025, 1, 2, tzinfo=UTC))
        with store.recorder() as recorder:
            recorder.add("kong.api_request", "consumer:ariel")
        store.settle()
        yield store, clock


def test_grants_and_resets(month):
    store, clock = month
    grant = store.create_grant({
        "customer": {"key": "ariel"}, "feature": {"key": "example_service"},
        "amount": Decimal("50"), "priority": 1,
        "expiration": {"duration": "day", "count": 3}})
    assert grant["amount"] == 50 and grant["expires_at"].day == 5
    assert [one["id"] for one in store.grants("ariel")] == [grant["id"]]
    assert list(store.grants("ariel", "example_service"))
    assert store.entitlement("ariel", "example_service")["balance"] == 1049
    clock.set(datetime(2025, 1, 2, 1, tzinfo=UTC))
    reset = store.reset_entitlement("ariel", "example_service",
                                    {"retain_anchor": True})
    assert reset["usage"] == 0
    assert store.void_grant(grant["id"])["voided_at"].hour == 1
    assert store.grant(grant["id"])["id"] == grant["id"]
    store.put_feature({"key": "seats", "name": "Seats"})
    made = store.create_entitlement({
        "customer": {"key": "ariel"}, "feature": {"key": "seats"},
        "type": "boolean"})
    assert made["feature"]["key"] == "seats"
    assert store.entitlement("ariel", "seats")["has_access"]
    clock.set(datetime(2025, 1, 3, tzinfo=UTC))
    store.override_entitlement({
        "customer": {"key": "ariel"}, "feature": {"key": "seats"},
        "type": "static", "config": {"seats": "5"}})
    assert store.entitlement("ariel", "seats")["config"] == {"seats": "5"}
    store.remove_entitlement("ariel", "seats")


def test_notices(month):
    store, clock = month
    store.put_notice_rule({
        "key": "half", "name": "Half",
        "type": "entitlements.balance.threshold",
        "thresholds": [{"type": "usage_percentage", "value": 50}]})
    assert store.notice_rule("half")["thresholds"][0]["value"] == 50
    assert [one["key"] for one in store.notice_rules()] == ["half"]
    with store.recorder() as recorder:
        recorder.add_many([("kong.api_request", "consumer:ariel")] * 600)
    store.settle()
    assert store.notices()["waiting"] == 1
    notice, = store.next_notices()
    assert notice["value"]["usage"] == 601
    assert list(store.next_notices()) == []
    store.acknowledge_notice(notice["id"])
    with pytest.raises(metering.NotFoundError):
        store.acknowledge_notice(notice["id"])
    store.remove_notice_rule("half")


def test_subscriptions_change(month):
    store, clock = month
    draft = store.next_plan("free")
    assert draft["version"] == 2
    store.put_plan({**{name: draft[name] for name in (
        "key", "currency", "billing_cadence", "phases")}, "name": "Freer"})
    store.publish_plan("free")
    running, = store.subscriptions("ariel")
    answer = store.migrate_subscription(running["id"],
                                        next_billing_cycle=True)
    assert answer["next"]["plan"]["version"] == 2
    restored = store.restore_subscription(running["id"])
    assert restored["id"] == running["id"]
    changed = store.change_subscription(
        running["id"], {"plan": {"key": "free"}}, next_billing_cycle=True)
    store.remove_subscription(changed["next"]["id"])
    assert store.continue_subscription(running["id"])["id"] == running["id"]
    assert store.subscription(running["id"], at=clock.utc_ns)["id"]
    assert store.plan("free", at=clock.utc_ns)["version"] == 2


def test_a_billing_run_bills_everybody(month):
    store, clock = month
    assert store.billing_profile()["workflow"]
    store.put_billing_profile({"numbering": {"series": "PY"}})
    clock.set(datetime(2025, 3, 1, tzinfo=UTC))
    store.settle()
    report = store.bill()
    assert report["is_done"] and report["drafts"] == 1
    assert report["as_of"] == metering.datetime_of(clock.utc_ns)
    draft, = store.invoices("ariel")
    assert draft["status"] == "draft"
    store.act_on_invoice(draft["id"], "collect")
    clock.set(datetime(2025, 3, 3, tzinfo=UTC))
    assert store.bill()["failed"] == 0
    issued, = store.invoices("ariel")
    assert issued["number"] == "PY-0001"
    assert issued["totals"]["total"] == Decimal("0.01")
    assert store.recompute_invoice("PY-0001")["is_identical"]
    assert not store.recompute_invoice("PY-0001", usage_now=True)["is_changed"]
    assert store.invoice_usage("PY-0001")["id"] == issued["id"]
    note = store.credit_invoice("PY-0001", {"reason": "kindness"})
    assert note["number"] == "CN-0001"
    with store.recorder() as recorder:
        recorder.add("kong.api_request", "consumer:ariel")
    store.settle()
    clock.set(datetime(2025, 3, 4, tzinfo=UTC))
    assert store.interim_invoice("ariel")["number"] == "PY-0002"
    for format in ("text", "html", "csv", "json"):
        assert metering.render_invoice(issued, format)
    store.remove_billing_profile()


def test_an_export_makes_the_same_store(month, tmp_path):
    store, clock = month
    exported = store.export()
    with metering.open(tmp_path / "again", create=True,
                       clock=clock) as again:
        again.apply(exported, allow_past=True)
        assert again.export() == exported


def test_metrics(store, limiter):
    with store.gateway() as gateway:
        text = metering.metrics(store, gateway, limiter)
        assert text.endswith("# EOF\n")
        for name in ("metering_store_", "metering_gateway_",
                     "metering_limiter_"):
            assert name in text
        assert "# EOF" not in metering.metrics(gateway=gateway,
                                               prometheus=True)
    with pytest.raises(metering.InvalidError):
        metering.metrics()
    with pytest.raises(metering.ClosedError):
        metering.metrics(gateway=gateway)
    with pytest.raises(TypeError):
        metering.metrics(gateway=limiter)


def test_customers_are_renamed_and_erased(month):
    store, clock = month
    who = {"reason": "asked", "actor": "test"}
    assert store.rename_customer("ariel", {"to": "ara", **who})["to"] == "ara"
    store.rename_subject("consumer:ariel", {"to": "consumer:ara", **who})
    assert store.customer("ara")["name"] == "Ariel"
    store.erase_subject("consumer:ara", who)
    running, = store.subscriptions("ara")
    store.cancel_subscription(running["id"], next_billing_cycle=True)
    clock.set(datetime(2025, 3, 1, tzinfo=UTC))
    store.finalize_invoice("ara")
    store.erase_customer("ara", who)
    assert [one["action"] for one in store.audit()] == [
        "customer.rename", "subject.rename", "subject.erase",
        "customer.erase"]
    assert list(store.customers()) == []


def test_what_would_be_left():
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    found = metering.simulate_entitlement({
        "entitlement": {"usage_period": {"interval": "P1M", "anchor": begin},
                        "measure_usage_from": begin},
        "grants": [{"id": "g", "amount": 10, "effective_at": begin}],
        "usage": [{"at": begin + timedelta(hours=1),
                   "value": Decimal("2.5")}],
        "at": begin + timedelta(days=1)})
    value, = found["values"]
    assert value["balance"] == Decimal("7.5")
    assert value["grants"] == [{"id": "g", "balance": Decimal("7.5")}]

"""Documents for store_lives.py, right ones: plans, subscriptions, entitlements,
grants, profiles, around the instant of now and far from it."""
import datetime

from anything_wrong import SPANS, TEXTS, TIMES

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 10 ** 9
DAY = 86400 * SECOND
CUSTOMERS = ["ada", "bo", "Ciril & Söhne", "d" * 128]
FEATURES = ["calls", "tokens", "models", "peak", "support"]
PLANS = ["free", "pro", "team"]


def ns_of(text):
    return (datetime.datetime.fromisoformat(text) - EPOCH) // \
        datetime.timedelta(microseconds=1) * 1000


def rfc(ns):
    moment = EPOCH + datetime.timedelta(microseconds=ns // 1000)
    return moment.isoformat().replace("+00:00", "Z")


class Documents:
    """What is chosen: rng and now are those of who asks."""

    rng = None
    now = 0

    def some(self, items):
        return self.rng.choice(items) if items else None

    def word(self, usual):
        """Mostly one of the usual ones."""
        return (self.rng.choice(usual) if self.rng.random() < 0.95
                else self.rng.choice(TEXTS)[:300])

    def instant(self):
        """Around now, mostly; 0 is now."""
        r = self.rng
        way = r.random()
        if way < 0.35:
            return 0
        if way < 0.6:
            return self.now + r.randrange(-40 * DAY, 60 * DAY)
        if way < 0.8:
            return (self.now // DAY + r.randrange(-3, 40)) * DAY
        if way < 0.9:
            return self.now + r.randrange(-3, 3)
        return r.choice((self.now, 1, -1, 2 ** 63 - 1, -2 ** 63,
                         self.now + 10 ** 18, ns_of("2100-02-28T00:00:00Z"),
                         ns_of("2200-01-01T00:00:00Z"), 86400 * SECOND))

    def moment(self):
        at = self.instant() or self.now
        if not 0 < at < ns_of("2261-01-01T00:00:00Z"):
            return self.rng.choice(TIMES)
        return rfc(at)

    def amount(self):
        r = self.rng
        return r.choice((str(r.randrange(1, 2000)), "0", "0.1", "1000", "7.25",
                         "9" * r.randrange(1, 35), "0." + "0" * 16 + "1",
                         str(r.randrange(1, 50)), "100"))

    def span(self):
        return (self.rng.choice(("P1M", "P1M", "P1D", "P1W", "P1Y", "PT1H",
                                 "P3M")) if self.rng.random() < 0.9
                else self.rng.choice(SPANS))

    def flags(self):
        return self.rng.choice((0, 0, 0, 1, 1, 2, 3))

    def maybe(self, document, likely=0.3, **members):
        for name, value in members.items():
            if self.rng.random() < likely:
                document[name] = value() if callable(value) else value
        return document

    def price(self):
        r = self.rng
        kind = r.randrange(8)
        tiers = [{"up_to": "10", "flat": "5", "unit": self.amount()},
                 {"up_to": "1000", "unit": "0.004"}, {"unit": "0.002"}]
        price = (
            {"type": "free"},
            {"type": "flat", "amount": self.amount(), "payment_term":
             r.choice(("in_advance", "in_arrears"))},
            {"type": "unit", "amount": self.amount()},
            {"type": "package", "amount": self.amount(),
             "quantity_per_package": r.choice(("1", "10", "0.5"))},
            {"type": "graduated", "tiers": tiers},
            {"type": "volume", "tiers": tiers},
            {"type": "dynamic", "multiplier": "1.2"},
            {"type": "percentage", "percentage": "1.5",
             "fixed_amount": "0.25", "free_events": "3"})[kind]
        if kind > 1:
            self.maybe(price, 0.15, commitments={"minimum": "10",
                                                 "maximum": "500"})
        return price

    def rate_card(self, feature, cadence):
        card = {"key": feature, "name": feature.title(),
                "feature": {"key": feature}, "billing_cadence": cadence,
                "price": self.price()}
        if feature in ("models", "peak", "support"):
            card["price"] = {"type": "flat", "amount": self.amount()}
        self.maybe(card, 0.15, discounts={"percentage": "10"})
        if self.rng.random() < 0.7:
            entitled = {"type": "metered", "limit": self.amount()}
            self.maybe(entitled, usage_period=self.span,
                       is_soft_limit=self.flag,
                       preserve_overage_at_reset=self.flag,
                       issue_after_reset_priority=self.priority)
            card["entitlement"] = self.rng.choice((
                entitled, entitled, {"type": "boolean"},
                {"type": "static", "config": {"a": [1, "x"]}}))
        return card

    def flag(self):
        return self.rng.random() < 0.5

    def priority(self):
        return self.rng.choice((0, 1, 2, 255))

    def plan(self, key=None):
        cadence = self.rng.choice(("P1M", "P1M", "P1W", "P3M"))
        names = ["only", "later", "last"][:self.rng.choice((1, 1, 2, 3))]
        phases = []
        for i, name in enumerate(names):
            features = self.rng.sample(FEATURES, self.rng.randrange(1, 4))
            phases.append({"key": name, "name": name, "rate_cards": [
                self.rate_card(f, cadence) for f in features]})
            if i < len(names) - 1:
                phases[-1]["duration"] = self.span()
        plan = {"key": key or self.word(PLANS), "name": "Plan",
                "currency": self.rng.choice(("USD", "USD", "USD", "EUR")),
                "billing_cadence": cadence, "phases": phases}
        return self.maybe(plan, 0.2, pro_rating_enabled=True,
                          commitments={"minimum": "50"},
                          labels={"a": "b"})

    def customer(self):
        return self.word(CUSTOMERS)

    def feature(self):
        return self.word(FEATURES)

    def subscription(self):
        document = {"customer": {"key": self.customer()}}
        if self.rng.random() < 0.8:
            document["plan"] = {"key": self.word(PLANS)}
        else:
            document["custom_plan"] = self.plan()
            del document["custom_plan"]["key"]
        return self.maybe(document, 0.25, active_from=self.moment,
                          active_to=self.moment, billing_anchor=self.moment,
                          starting_phase=lambda: self.word(["only", "later"]),
                          labels={"x": "y"})

    def lone(self):
        document = {"customer": {"key": self.customer()},
                    "feature": {"key": self.feature()}, "type": "metered",
                    "usage_period": self.maybe({"interval": self.span()},
                                               anchor=self.moment)}
        self.maybe(document, issue_after_reset=self.amount,
                   issue_after_reset_priority=self.priority,
                   is_soft_limit=self.flag,
                   preserve_overage_at_reset=self.flag,
                   measure_usage_from=lambda: self.rng.choice(
                       ("now", "current_period_start", self.moment())),
                   metadata={"a": {"b": [1]}})
        return self.maybe(document, 0.2, active_from=self.moment,
                          active_to=self.moment)

    def grant(self):
        document = {"customer": {"key": self.customer()},
                    "feature": {"key": self.feature()},
                    "amount": self.amount()}
        return self.maybe(
            document, priority=self.priority, effective_at=self.moment,
            expiration=lambda: {
                "duration": self.rng.choice(("hour", "day", "week", "month",
                                             "year")),
                "count": self.rng.choice((1, 1, 2, 3, 1000))},
            max_rollover_amount=self.amount, min_rollover_amount=self.amount,
            recurrence=lambda: self.maybe({"interval": self.span()},
                                          anchor=self.moment),
            metadata={"order": "A-7"})

    def notice_rule(self):
        document = {"key": self.word(["low", "new"]), "name": "Rule", "type":
                    self.rng.choice(("entitlements.balance.threshold",
                                     "entitlements.reset"))}
        if document["type"] != "entitlements.reset":
            document["thresholds"] = [
                {"type": kind, "value": self.amount()} for kind in
                self.rng.sample(("usage_percentage", "usage_value",
                                 "balance_value"), self.rng.randrange(1, 4))]
        return self.maybe(document, 0.2, when_reached=self.flag,
                          features=["calls"], disabled=self.flag)

    def profile(self):
        r = self.rng
        document = {"workflow": {
            "collection": self.maybe({}, alignment=lambda: r.choice(
                ("subscription", "anchored")), interval=self.span),
            "invoicing": self.maybe(
                {}, auto_advance=self.flag, draft_period=self.span,
                due_after=self.span, progressive_billing=self.flag,
                subscription_end_proration_mode=lambda: r.choice(
                    ("bill_actual_period", "bill_full_period")))}}
        return self.maybe(
            document, late_usage=lambda: r.choice(
                ("next_invoice", "draft_refresh", "credit_note")),
            usage_thresholds=["10", "1000"],
            tax={"rounding": r.choice(("line", "invoice")),
                 "codes": [{"key": "vat", "name": "VAT", "rate": "19"}],
                 "default": {"behavior": r.choice(("exclusive", "inclusive")),
                             "tax_code": {"key": "vat"}}},
            numbering={"series": r.choice(("INV", "R")),
                       "customer_prefix": self.flag()})

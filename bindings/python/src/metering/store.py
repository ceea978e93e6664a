"""The store: catalog, customers, usage and invoices of one directory, which
any number of processes use at once."""
from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Union

from . import _native
from ._native import Clock, Gateway, Recorder
from .errors import NotFoundError
from .handle import Handle
from .limiter import Limiter, choice
from .usage import Cursor, Ingest, UsageRows
from .values import (Document, Moment, datetime_of, decode, encode,
                     moment_or_now, text_of_moment)

CREATE = 1
ALLOW_PAST = 1
NEXT_BILLING_CYCLE = 2
DRY_RUN = 4
STRICT = 8
OPEN_PERIOD = 1
AND_OLDER = 1
USAGE_NOW = 1
WITHOUT_SECRETS = 1
REQUIRE_ENTITLEMENT = 1
NEVER_COMPILE = 2

Path = Union[str, bytes, "os.PathLike[str]"]
DocumentLike = Union[Mapping[str, object], str]
Argument = Union[str, bytes, int, None]


class Failure(enum.IntEnum):
    """What failed when a request was decided; Admission.failure."""

    NONE = 0
    SNAPSHOT = 1
    LIMITER = 2
    QUOTA = 3
    TALLY = 4
    CONFIG = 5


class Store(Handle):
    """One directory. Opening it twice in a process gives the same store; it
    must be opened after a fork, by the process that uses it."""

    def __init__(self, path: Path, *, create: bool = False,
                 map_size_bytes: int = 0, clock: Clock | None = None) -> None:
        self.path = os.fspath(path)
        self._native = _native.Store(path, CREATE if create else 0,
                                     map_size_bytes, clock)

    def close(self) -> None:
        """Let go of it. Recorders, gateways and queries that are open keep
        the files open until they are closed, too."""
        self._native.close()

    @property
    def closed(self) -> bool:
        return self._native.closed

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<metering.Store {self.path!r}{state}>"

    def _do(self, name: str, *arguments: Argument) -> None:
        self._native.call(name, *arguments)

    def _document(self, name: str, *arguments: Argument) -> Document:
        found: Document = decode(self._native.call(name, *arguments) or "{}")
        return found

    def _items(self, name: str, *arguments: Argument) -> Iterator[Document]:
        return iter(self._document(name, *arguments)["items"])

    # --- Counting -----------------------------------------------------------
    def recorder(self, shapes_max: int = 0) -> Recorder:
        """Counts usage on the request path, in memory that survives the death
        of its process."""
        return self._native.recorder(shapes_max)

    def gateway(self, *, fail: str = "closed", headers: str = "kong",
                limiter_capacity: int = 0,
                require_entitlement: bool = False,
                never_compile: bool = False) -> Gateway:
        """Decides requests and counts them. fail: "closed" or "open" when a
        decision is impossible; headers: "kong", "none" or "ietf";
        never_compile: tick leaves compiling a changed catalog, which may take
        seconds, to others: to another gateway, or to whoever settles."""
        return self._native.gateway(
            choice(fail, ("closed", "open"), "fail"),
            choice(headers, ("kong", "none", "ietf"), "headers"),
            limiter_capacity,
            (REQUIRE_ENTITLEMENT if require_entitlement else 0)
            | (NEVER_COMPILE if never_compile else 0))

    def ingest(self) -> Ingest:
        return Ingest(self._native.ingest())

    def settle(self, cells_max: int = 0) -> Document:
        """Move what all processes counted into the store: about once a second
        from one of them."""
        return self._document("store_settle", cells_max)

    def compact(self, *, records_max: int = 0,
                as_of: Moment | None = None) -> Document:
        """Fold old usage; answers stay the same."""
        return self._document("store_compact", records_max,
                              moment_or_now(as_of, "as_of"))

    # --- Catalog ------------------------------------------------------------
    def apply(self, document: DocumentLike, *, at: Moment | None = None,
              allow_past: bool = False, dry_run: bool = False,
              strict: bool = False) -> Document:
        """A whole declarative document, in one transaction."""
        flags = ((ALLOW_PAST if allow_past else 0)
                 | (DRY_RUN if dry_run else 0) | (STRICT if strict else 0))
        return self._document("catalog_apply", encode(document),
                              moment_or_now(at, "at"), flags)

    def export(self) -> Document:
        """Everything that is configured, as apply takes it."""
        return self._document("catalog_export")

    def put_meter(self, document: DocumentLike) -> Document:
        return self._document("meter_put", encode(document))

    def meter(self, key: str) -> Document:
        return self._document("meter_get", key)

    def meters(self) -> Iterator[Document]:
        return self._items("meter_list")

    def remove_meter(self, key: str) -> None:
        self._do("meter_remove", key)

    def put_feature(self, document: DocumentLike) -> Document:
        return self._document("feature_put", encode(document))

    def feature(self, key: str) -> Document:
        return self._document("feature_get", key)

    def features(self) -> Iterator[Document]:
        return self._items("feature_list")

    def archive_feature(self, key: str) -> None:
        self._do("feature_archive", key)

    def put_plan(self, document: DocumentLike) -> Document:
        return self._document("plan_put", encode(document))

    def publish_plan(self, key: str, *, at: Moment | None = None,
                     allow_past: bool = False) -> Document:
        return self._document("plan_publish", key, moment_or_now(at, "at"),
                              ALLOW_PAST if allow_past else 0)

    def next_plan(self, key: str) -> Document:
        """The next draft: a copy of the highest version."""
        return self._document("plan_next", key)

    def archive_plan(self, key: str) -> None:
        self._do("plan_archive", key)

    def remove_plan(self, key: str, version: int = 0) -> None:
        self._do("plan_remove", key, version)

    def plan(self, key: str, version: int = 0, *,
             at: Moment | None = None) -> Document:
        return self._document("plan_get", key, version,
                              moment_or_now(at, "at"))

    def plans(self) -> Iterator[Document]:
        return self._items("plan_list")

    # --- Customers ----------------------------------------------------------
    def put_customer(self, document: DocumentLike) -> Document:
        return self._document("customer_put", encode(document))

    def customer(self, key: str) -> Document:
        return self._document("customer_get", key)

    def customer_of_subject(self, subject: str) -> Document:
        return self._document("customer_of_subject", subject)

    def customers(self) -> Iterator[Document]:
        return self._items("customer_list")

    def remove_customer(self, key: str) -> None:
        self._do("customer_remove", key)

    def rename_customer(self, key: str, document: DocumentLike) -> Document:
        """{"to", "reason", "actor"}; the answer is the audit's record."""
        return self._document("customer_rename", key, encode(document))

    def erase_customer(self, key: str, document: DocumentLike) -> Document:
        """Forget who it was: {"reason", "actor"}. Totals stay."""
        return self._document("customer_erase", key, encode(document))

    def rename_subject(self, subject: str,
                       document: DocumentLike) -> Document:
        return self._document("subject_rename", subject, encode(document))

    def erase_subject(self, subject: str, document: DocumentLike) -> Document:
        return self._document("subject_erase", subject, encode(document))

    def audit(self) -> Iterator[Document]:
        """Every rename and erasure, oldest first."""
        return self._items("audit_list")

    def subscribe(self, document: DocumentLike, *,
                  allow_past: bool = False) -> Document:
        return self._document("subscription_create", encode(document),
                              ALLOW_PAST if allow_past else 0)

    def cancel_subscription(self, subscription_id: str, *,
                            at: Moment | None = None,
                            next_billing_cycle: bool = False,
                            allow_past: bool = False) -> Document:
        return self._document(
            "subscription_cancel", subscription_id, moment_or_now(at, "at"),
            cancel_flags(next_billing_cycle, allow_past))

    def change_subscription(self, subscription_id: str,
                            document: DocumentLike, *,
                            at: Moment | None = None,
                            next_billing_cycle: bool = False,
                            allow_past: bool = False) -> Document:
        """Another plan: the answer has "current" and "next"."""
        return self._document(
            "subscription_change", subscription_id, encode(document),
            moment_or_now(at, "at"), cancel_flags(next_billing_cycle,
                                                  allow_past))

    def migrate_subscription(self, subscription_id: str,
                             document: DocumentLike = "{}", *,
                             at: Moment | None = None,
                             next_billing_cycle: bool = False,
                             allow_past: bool = False) -> Document:
        """A later version of the same plan."""
        return self._document(
            "subscription_migrate", subscription_id, encode(document),
            moment_or_now(at, "at"), cancel_flags(next_billing_cycle,
                                                  allow_past))

    def continue_subscription(self, subscription_id: str) -> Document:
        """Take a cancellation back."""
        return self._document("subscription_continue", subscription_id)

    def restore_subscription(self, subscription_id: str) -> Document:
        """Take a change back before it takes effect."""
        return self._document("subscription_restore", subscription_id)

    def remove_subscription(self, subscription_id: str) -> None:
        """One that has not begun."""
        self._do("subscription_remove", subscription_id)

    def subscription(self, subscription_id: str, *,
                     at: Moment | None = None) -> Document:
        return self._document("subscription_get", subscription_id,
                              moment_or_now(at, "at"))

    def subscriptions(self, customer: str | None = None
                      ) -> Iterator[Document]:
        return self._items("subscription_list", customer)

    # --- Entitlements -------------------------------------------------------
    def entitlement(self, customer: str, feature: str,
                    at: Moment | None = None) -> Document:
        """What a customer may use of a feature, and what is left."""
        return self._document("entitlement_get", customer, feature,
                              moment_or_now(at, "at"))

    def entitlements(self, customer: str,
                     at: Moment | None = None) -> Iterator[Document]:
        return self._items("entitlement_list", customer,
                           moment_or_now(at, "at"))

    def entitlement_history(self, customer: str, feature: str, *,
                            from_: Moment | None = None,
                            to: Moment | None = None,
                            window: str = "day") -> Document:
        return self._document("entitlement_history", customer, feature,
                              moment_or_now(from_, "from_"),
                          moment_or_now(to, "to"),
                          choice(window, ("hour", "day"), "window") - 1)

    def create_entitlement(self, document: DocumentLike, *,
                           allow_past: bool = False) -> Document:
        """Beside the customer's subscriptions."""
        return self._document("entitlement_create", encode(document),
                              ALLOW_PAST if allow_past else 0)

    def override_entitlement(self, document: DocumentLike, *,
                             allow_past: bool = False) -> Document:
        """The same; the one in force when it begins ends there."""
        return self._document("entitlement_override", encode(document),
                              ALLOW_PAST if allow_past else 0)

    def remove_entitlement(self, customer: str, feature: str) -> None:
        self._do("entitlement_remove", customer, feature)

    def reset_entitlement(self, customer: str, feature: str,
                          document: DocumentLike = "{}") -> Document:
        """Begin a usage period by hand."""
        return self._document("entitlement_reset", customer, feature,
                              encode(document))

    def create_grant(self, document: DocumentLike, *,
                     allow_past: bool = False) -> Document:
        """Units of a feature for a customer."""
        return self._document("grant_create", encode(document),
                              ALLOW_PAST if allow_past else 0)

    def grant(self, grant_id: str) -> Document:
        return self._document("grant_get", grant_id)

    def grants(self, customer: str, feature: str | None = None
               ) -> Iterator[Document]:
        return self._items("grant_list", customer, feature)

    def void_grant(self, grant_id: str, *, at: Moment | None = None,
                   allow_past: bool = False) -> Document:
        return self._document("grant_void", grant_id, moment_or_now(at, "at"),
                              ALLOW_PAST if allow_past else 0)

    # --- Notices ------------------------------------------------------------
    def put_notice_rule(self, document: DocumentLike) -> Document:
        return self._document("notice_rule_put", encode(document))

    def notice_rule(self, key: str) -> Document:
        return self._document("notice_rule_get", key)

    def notice_rules(self) -> Iterator[Document]:
        return self._items("notice_rule_list")

    def remove_notice_rule(self, key: str) -> None:
        self._do("notice_rule_remove", key)

    def next_notices(self, count: int = 100, *, lease_s: int = 60
                     ) -> Iterator[Document]:
        """Held for the caller until the lease is over: acknowledge them."""
        if not isinstance(lease_s, int):
            raise TypeError("lease_s: must be int, not "
                            f"{type(lease_s).__name__}")
        return self._items("notice_next", count, lease_s * 10**9)

    def acknowledge_notice(self, notice_id: str, *,
                           and_older: bool = False) -> None:
        self._do("notice_ack", notice_id, AND_OLDER if and_older else 0)

    def notices(self, count: int = 1000) -> Document:
        """What waits, without taking it: items, waiting, dropped."""
        return self._document("notice_list", count)

    # --- Usage --------------------------------------------------------------
    def usage(self, meter: str | None = None, *, feature: str | None = None,
              customer: str | None = None,
              customers: Sequence[str] | None = None,
              subjects: Sequence[str] | None = None,
              filters: Mapping[str, object] | None = None,
              from_: Moment | None = None, to: Moment | None = None,
              window: str | None = None, time_zone: str | None = None,
              group_by: Sequence[str] | None = None,
              settle_first: bool = False) -> UsageRows:
        """Settled usage of a meter or a feature; from_ is inclusive, to is
        not."""
        query = {"meter": meter, "feature": feature, "customer": customer,
                 "customers": customers, "subjects": subjects,
                 "filters": filters,
                 "from": None if from_ is None else text_of_moment(from_,
                                                                   "from_"),
                 "to": None if to is None else text_of_moment(to, "to"),
                 "window": window, "time_zone": time_zone,
                 "group_by": group_by, "settle_first": settle_first or None}
        return UsageRows(self._native.usage_cursor(encode(
            {name: value for name, value in query.items()
             if value is not None})))

    def adjust_usage(self, document: DocumentLike) -> Document:
        return self._document("usage_adjust", encode(document))

    def adjustments(self) -> Iterator[Document]:
        return self._items("usage_adjustment_list")

    def usage_settings(self) -> Document:
        return self._document("usage_settings_get")

    def put_usage_settings(self, document: DocumentLike) -> Document:
        return self._document("usage_settings_put", encode(document))

    # --- Events -------------------------------------------------------------
    def event_cursor(self, name: str) -> Cursor | None:
        """How far a source was read; None before its first batch."""
        try:
            return Cursor(name, *self._native.event_cursor(name))
        except NotFoundError:
            return None

    def events(self, *, from_: Moment | None = None, to: Moment | None = None,
               subject: str | None = None,
               type: str | None = None) -> Iterator[Document]:
        """Events that are retained, by their time."""
        query: dict[str, object] = {"limit": 1000}
        if from_ is not None:
            query["from"] = text_of_moment(from_, "from_")
        if to is not None:
            query["to"] = text_of_moment(to, "to")
        if subject is not None:
            query["subject"] = subject
        if type is not None:
            query["type"] = type
        while True:
            page = self._document("event_list", encode(query))
            yield from page["items"]
            if "cursor" not in page:
                return
            query["cursor"] = page["cursor"]

    def explain_event(self, source: str, event_id: str) -> Document:
        return self._document("event_explain", source, event_id)

    def retract_event(self, document: DocumentLike) -> Document:
        return self._document("event_retract", encode(document))

    def event_settings(self) -> Document:
        return self._document("event_settings_get")

    def put_event_settings(self, document: DocumentLike) -> Document:
        return self._document("event_settings_put", encode(document))

    # --- Invoices -----------------------------------------------------------
    def preview_invoice(self, customer: str, *, as_of: Moment | None = None,
                        open_period: bool = False) -> Document:
        return self._document("invoice_preview", customer,
                              moment_or_now(as_of, "as_of"),
                          OPEN_PERIOD if open_period else 0)

    def finalize_invoice(self, customer: str, *,
                         as_of: Moment | None = None) -> Document:
        return self._document("invoice_finalize", customer,
                              moment_or_now(as_of, "as_of"))

    def interim_invoice(self, customer: str, *,
                        as_of: Moment | None = None) -> Document:
        """Also what runs still, up to now."""
        return self._document("invoice_interim", customer,
                              moment_or_now(as_of, "as_of"))

    def act_on_invoice(self, id_or_number: str, action: str) -> Document:
        """One step of its life: one of its "available_actions"."""
        return self._document("invoice_act", id_or_number, action)

    def credit_invoice(self, id_or_number: str,
                       document: DocumentLike) -> Document:
        """Give it back, or a part of it: the credit note."""
        return self._document("invoice_credit", id_or_number,
                              encode(document))

    def bill(self, as_of: Moment | None = None) -> Document:
        """Bill everybody who is due. Settle first. A run that was cut short is
        gone on with, as of its own instant: see "as_of"."""
        with self._native.billing_run(as_of) as run:
            report = run.step()
            while not report["is_done"]:
                report = run.step()
        report["as_of"] = datetime_of(report.pop("as_of_ns"))
        return report

    def billing_profile(self, customer: str | None = None) -> Document:
        """How customers, or one, are billed."""
        return self._document("billing_profile_get", customer)

    def put_billing_profile(self, document: DocumentLike,
                            customer: str | None = None) -> Document:
        return self._document("billing_profile_put", customer,
                              encode(document))

    def remove_billing_profile(self, customer: str | None = None) -> None:
        self._do("billing_profile_remove", customer)

    def invoice(self, id_or_number: str) -> Document:
        return self._document("invoice_get", id_or_number)

    def invoice_usage(self, id_or_number: str) -> Document:
        """With what its metered lines are made of, by day and dimension."""
        return self._document("invoice_usage", id_or_number)

    def recompute_invoice(self, id_or_number: str, *,
                          usage_now: bool = False) -> Document:
        """Made again from what it stores, or from the usage of now."""
        return self._document("invoice_recompute", id_or_number,
                              USAGE_NOW if usage_now else 0)

    def invoices(self, customer: str | None = None) -> Iterator[Document]:
        return self._items("invoice_list", customer)

    # --- Entities of the gateway --------------------------------------------
    def entities(self, kind: str) -> Iterator[Document]:
        """Of a kind: "service", "route", "consumer", "consumer_group" or
        "plugin"."""
        return self._items("gateway_entity_list", kind)

    def entity(self, kind: str, name: str) -> Document:
        return self._document("gateway_entity_get", kind, name)

    def remove_entity(self, kind: str, name: str) -> None:
        self._do("gateway_entity_remove", kind, name)

    def rotate_credential(self, consumer: str,
                          document: DocumentLike) -> Document:
        """Give a consumer another API key: {"reason", "actor", "id"?,
        "key"?, "grace_seconds"?, "ttl"?}. The answer has the key."""
        return self._document("credential_rotate", consumer,
                              encode(document))

    # --- Operators ----------------------------------------------------------
    def backup(self, path: Path, *, without_secrets: bool = False) -> None:
        """Copy the store while it is in use. Settle first. without_secrets:
        API keys do not work in the copy, which has no hash of them."""
        self._do("store_backup", os.fsencode(path),
                 WITHOUT_SECRETS if without_secrets else 0)

    def check(self) -> Document:
        """Read everything and verify it."""
        return self._document("store_check")

    def stats(self) -> Document:
        return self._document("store_stats")


def cancel_flags(next_billing_cycle: bool, allow_past: bool) -> int:
    return ((NEXT_BILLING_CYCLE if next_billing_cycle else 0)
            | (ALLOW_PAST if allow_past else 0))


def metrics(store: Store | None = None, gateway: Gateway | None = None,
            limiter: Limiter | None = None, *,
            prometheus: bool = False) -> str:
    """OpenMetrics text of what is given, for a monitoring system."""
    return _native.metrics(store._native if store else None, gateway,
                           limiter._native if limiter else None,
                           1 if prometheus else 0)


def open(path: Path, *, create: bool = False, map_size_bytes: int = 0,
         clock: Clock | None = None) -> Store:
    """Open the store in a directory; with create, make it when there is
    none. clock: in tests, a Clock in place of the system's."""
    return Store(path, create=create, map_size_bytes=map_size_bytes,
                 clock=clock)

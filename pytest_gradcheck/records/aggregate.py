"""All records of a session, from all its tests and processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_gradcheck.records.record import Key, Record, key, merge_records, passed, plain_data


class Aggregate:
    """Every record of the session, in the process that reports on it.

    Node ids are encoded as by `plain_data`: file names may contain bytes that no encoding has.
    """

    def __init__(self) -> None:
        self._records: dict[Key, Record] = {}
        self._marked: set[str] = set()
        self._misused: dict[str, str] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Add records, and merge those of the same check."""
        for record in records:
            known = self._records.get(key(record))
            self._records[key(record)] = record if known is None else merge_records(known, record)

    def mark(self, nodeid: str) -> None:
        """Record that a test carries the marker, and so should have been checked."""
        self._marked.add(plain_data(nodeid))

    def misuse(self, nodeid: str, message: str) -> None:
        """Record that a test used the package wrongly, with the error message."""
        self._misused[plain_data(nodeid)] = plain_data(message)

    def misused(self) -> list[dict[str, str]]:
        """Return the tests that ended with `InvalidArgument`, each with its message."""
        return [{"nodeid": nodeid, "message": self._misused[nodeid]} for nodeid in sorted(self._misused)]

    def forget(self, nodeid: str) -> None:
        """Drop the records of a test, because it is about to run again."""
        self._misused.pop(plain_data(nodeid), None)
        self._records = {k: record for k, record in self._records.items() if k[0] != plain_data(nodeid)}

    def expect_failure(self, nodeid: str, reason: str) -> None:
        """Record that the test's failing checks are expected to fail."""
        for (owner, _), record in self._records.items():
            if owner == plain_data(nodeid) and record["verdict"] == "fail":
                record["xfail"] = reason

    def fail_test(self, nodeid: str) -> None:
        """Record that a test failed. If none of its checks did, the checks that passed do not count."""
        own = [record for (owner, _), record in self._records.items() if owner == plain_data(nodeid)]
        if all(record["verdict"] != "fail" for record in own):
            for record in own:
                record["test_failed"] = True

    def checks(self) -> list[Record]:
        """Return every record, in an order that does not depend on the order of execution."""
        return [self._records[known] for known in sorted(self._records)]

    def summary(self) -> dict[str, int]:
        """Count the checks by verdict, and the marked tests without a check."""
        return summarise(self.checks(), len(self.unchecked()))

    def unchecked(self) -> list[str]:
        """Return the marked tests in which no check ran."""
        return sorted(self._marked - {nodeid for nodeid, _ in self._records})


def summarise(checks: Iterable[Mapping[str, object]], not_checked: int) -> dict[str, int]:
    """Return the ``summary`` of a report."""
    checks = list(checks)
    verdicts = [check["verdict"] for check in checks]
    good = sum(map(passed, checks))
    return {
        "checks": len(verdicts),
        "pass": good,
        **{name: verdicts.count(name) for name in ("fail", "inconclusive")},
        "expected": sum(check["verdict"] == "fail" and bool(check.get("xfail")) for check in checks),
        "test_failed": verdicts.count("pass") - good,
        "not_checked": not_checked,
    }

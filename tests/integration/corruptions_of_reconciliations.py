"""Corruptions of what tests/helpers/sound_reconciliation.py writes, with what `verify` must say about each."""

from __future__ import annotations

from tests.helpers.corruption import Corruption, without_checks

_OURS = "entity_no = 3"
_CLOSING = f"(SELECT max(stage_no) FROM reconciliation_revisions WHERE {_OURS} AND action = 9)"
_FROZEN = f"(SELECT transaction_no FROM frozen_transactions WHERE {_OURS} AND stage_no = {_CLOSING})"

OF_RECONCILIATIONS = {
    "reconciliation: revision deleted": Corruption(
        f"DELETE FROM reconciliation_revisions WHERE {_OURS} AND revision = 3",
        (
            r"event \d+ tells of a change that is not there",
            r"revision 4 of account number \d+ in EUR is not what event",
        ),
    ),
    "reconciliation: event deleted": Corruption(
        f"""DELETE FROM events WHERE {_OURS} AND kind = 16 AND detail ->> 'revision' = '3'""",
        (r"revision 3 of account number \d+ in EUR has no event",),
    ),
    "reconciliation: newest event deleted": Corruption(
        f"DELETE FROM events WHERE {_OURS} AND sequence = (SELECT max(sequence) FROM events WHERE {_OURS})",
        (r"commit (\d+) to \1 has no events", r"revision \d+ of account number \d+ in EUR has no event"),
    ),
    "reconciliation: stage": Corruption(
        f"UPDATE reconciliation_revisions SET stage_no = stage_no + 1 WHERE {_OURS} AND revision = 4",
        (r"revision 4 of account number \d+ in EUR is not what event \d+ says",),
    ),
    "reconciliation: action": Corruption(
        f"UPDATE reconciliation_revisions SET action = 8 WHERE {_OURS} AND revision = 4",
        (r"revision 4 of account number \d+ in EUR is not what event \d+ says",),
    ),
    "reconciliation: order": Corruption(
        f"UPDATE reconciliation_revisions SET revision = 40 WHERE {_OURS} AND revision = 4",
        (r"revision 40 of account number \d+ in EUR is not what event \d+ says, or does not follow",),
    ),
    "reconciliation: reopens what was not closed": Corruption(
        f"""UPDATE reconciliation_revisions SET reopens = (
                SELECT stage_no FROM reconciliation_revisions WHERE {_OURS} AND revision = 2)
            WHERE {_OURS} AND action = 10""",
        (r"revision \d+ of account number \d+ in EUR is not what event",),
    ),
    "reconciliation: line deleted": Corruption(
        f"DELETE FROM statement_lines WHERE {_OURS} AND number = 2",
        (
            r"lines of account number \d+ in EUR: 5 numbers up to 6, 5 identities",
            r"statement 1 of account number \d+ in EUR: 2 lines that come to 99750, expected 3 and 124750",
            r"match \d+ of account number \d+ in EUR has line 2, which does not exist",
        ),
    ),
    "reconciliation: amount of a line": Corruption(
        f"UPDATE statement_lines SET amount = amount + 1 WHERE {_OURS} AND number = 1",
        (r"statement 1 of account number \d+ in EUR: 3 lines that come to 124751, expected 3 and 124750",),
    ),
    "reconciliation: line twice": Corruption(
        f"""UPDATE statement_lines SET identity = (
                SELECT identity FROM statement_lines WHERE {_OURS} AND number = 1)
            WHERE {_OURS} AND number = 2""",
        (r"lines of account number \d+ in EUR: 6 numbers up to 6, 5 identities",),
    ),
    "reconciliation: sum of a statement": Corruption(
        f"UPDATE statements SET sum = 7 WHERE {_OURS} AND number = 2",
        (r"statement 2 of account number \d+ in EUR: 3 lines that come to 6300, expected 3 and 7",),
    ),
    "reconciliation: line of nowhere": Corruption(
        f"UPDATE reconciliation_matches SET lines = '{{77}}' WHERE {_OURS} AND number = 1",
        (r"match 1 of account number \d+ in EUR has line 77, which does not exist",),
    ),
    "reconciliation: transaction of nowhere": Corruption(
        f"UPDATE reconciliation_matches SET transactions = '{{999999}}' WHERE {_OURS} AND number = 1",
        (r"transaction txn_\w{26}, match 1 of account number \d+ in EUR has this transaction, which does not exist",),
    ),
    "reconciliation: decision of nothing": Corruption(
        f"UPDATE reconciliation_decisions SET match_number = 77 WHERE {_OURS} AND state = 4",
        (r"a decision about match 77 of account number \d+ in EUR, which does not exist",),
    ),
    "reconciliation: undone no more": Corruption(
        f"DELETE FROM reconciliation_decisions WHERE {_OURS} AND state = 4",
        (
            r"line 2 of account number \d+ in EUR is in 2 matches",
            r"transaction \d+ of account number \d+ in EUR is in 2",
        ),
    ),
    "reconciliation: frozen transaction voided": Corruption(
        without_checks(
            "events",
            f"""INSERT INTO events
            SELECT (jsonb_populate_record(e, jsonb_build_object(
                'sequence', (SELECT max(sequence) + 1 FROM events WHERE {_OURS}), 'kind', 5, 'status', 4,
                'revision', e.revision + 1, 'idempotency_key', null, 'request_hash', null))).*
            FROM events e WHERE e.{_OURS} AND e.sequence = {_FROZEN}""",
        ),
        (r"event \d+ changes what a closed reconciliation holds",),
    ),
}

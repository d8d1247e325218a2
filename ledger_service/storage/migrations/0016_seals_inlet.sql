-- A commit is one message: BEGIN, events, entries, seals, COMMIT (docs/decisions/0024). The seals go in by COPY then,
-- for which they need a door, as events and entries have one since 0005: a partitioned table without policies and
-- without rows. What checks a seal goes by row, and so acts however it comes in.
CREATE TABLE ledger.seals_inlet (LIKE ledger.seals) PARTITION BY LIST (entity_no);
ALTER TABLE ledger.seals_inlet ATTACH PARTITION ledger.seals DEFAULT;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seals_inlet
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT INSERT ON ledger.seals_inlet TO ledger_service;

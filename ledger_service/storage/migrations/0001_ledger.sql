-- The ledger's tables. Every key begins with the entity, so that the tables can be distributed by it.
--
-- Hot tables (events, entries, commits) are append-only: nobody, the owner included, may UPDATE, DELETE
-- or TRUNCATE them. Their rules are proved by sets in statement-level triggers (0002): a foreign key
-- checked row by row costs a third of the throughput.

CREATE SCHEMA ledger;

CREATE TABLE ledger.entities (
    entity_no    int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_id    text COLLATE "C" NOT NULL UNIQUE,
    -- Keys the check digits of the entity's ids, so that ids can't be counted through by strangers.
    id_key       bytea NOT NULL CHECK (octet_length(id_key) = 16),
    name         text NOT NULL,
    time_zone    text NOT NULL,
    state        int2 NOT NULL CHECK (state IN (1, 2)),
    metadata     jsonb,
    created_time timestamptz NOT NULL,
    updated_time timestamptz NOT NULL,
    revision     int4 NOT NULL CHECK (revision >= 1)
);

CREATE TABLE ledger.accounts (
    entity_no    int4 NOT NULL REFERENCES ledger.entities,
    -- The sequence of the event that created it: unique in the entity without a counter of its own.
    account_no   int8 NOT NULL,
    account_id   text COLLATE "C" NOT NULL,
    type         int2 NOT NULL CHECK (type BETWEEN 1 AND 5),
    contra       bool NOT NULL,
    -- 1 DEBIT, 2 CREDIT: assets and expenses grow on the debit side, contra accounts on the other one.
    normal_side  int2 NOT NULL GENERATED ALWAYS AS (CASE WHEN (type IN (1, 5)) <> contra THEN 1 ELSE 2 END) STORED,
    code         text COLLATE "C",
    name         text NOT NULL,
    parent_no    int8,
    currencies   text[] COLLATE "C" NOT NULL DEFAULT '{}',
    state        int2 NOT NULL CHECK (state BETWEEN 1 AND 3),
    metadata     jsonb,
    created_time timestamptz NOT NULL,
    updated_time timestamptz NOT NULL,
    sequence     int8 NOT NULL,
    revision     int4 NOT NULL CHECK (revision >= 1),
    PRIMARY KEY (entity_no, account_no),
    UNIQUE (entity_no, account_id),
    UNIQUE (entity_no, code),
    FOREIGN KEY (entity_no, parent_no) REFERENCES ledger.accounts (entity_no, account_no),
    CHECK (parent_no <> account_no)
);
CREATE INDEX accounts_by_parent ON ledger.accounts (entity_no, parent_no) WHERE parent_no IS NOT NULL;

-- Floors and ceilings, in minor units, in the sense of the account's normal side.
CREATE TABLE ledger.account_limits (
    entity_no  int4 NOT NULL,
    account_no int8 NOT NULL,
    currency   text COLLATE "C" NOT NULL,
    floor      numeric(38, 0),
    ceiling    numeric(38, 0),
    PRIMARY KEY (entity_no, account_no, currency),
    FOREIGN KEY (entity_no, account_no) REFERENCES ledger.accounts (entity_no, account_no),
    CHECK (floor IS NOT NULL OR ceiling IS NOT NULL),
    CHECK (floor <= ceiling)
);

-- Everything that happened in an entity, one row for each, in its gapless order. A transaction is the
-- chain of its revisions here; the newest is how it is now. Nothing is ever overwritten.
CREATE TABLE ledger.events (
    entity_no       int4 NOT NULL,
    sequence        int8 NOT NULL CHECK (sequence >= 1),
    -- domain.event.EventKind: 1 created, 2 edited, 3 cleared, 4 posted, 5 voided, 6 expired, 7 reversal
    -- created, 8 write refused, 9 account created, 10 account changed, 11 entity created, 12 entity changed
    kind            int2 NOT NULL CHECK (kind BETWEEN 1 AND 12),
    -- How many events, this one included, the same request wrote; 0 on all but its first.
    span            int4 NOT NULL CHECK (span BETWEEN 0 AND 1000),
    recorded_time   timestamptz NOT NULL,
    actor           text NOT NULL,
    idempotency_key text COLLATE "C",
    request_hash    bytea,
    -- The transaction: the sequence at which it was created.
    transaction_no  int8,
    revision        int4,
    -- 1 PENDING, 2 CLEARED, 3 POSTED, 4 VOIDED, 5 EXPIRED
    status          int2 CHECK (status BETWEEN 1 AND 5),
    -- The event whose HOLD, POST or SETTLE entries are the postings of this revision.
    postings_at     int8,
    effective_time  timestamptz,
    expire_time     timestamptz,
    description     text,
    reference       text COLLATE "C",
    counterparty    text,
    category_id     text,
    metadata        jsonb,
    -- The transaction_no that this one reverses.
    reverses        int8,
    account_no      int8,
    -- The account or entity as it was after the event, or the refusal.
    detail          jsonb,
    PRIMARY KEY (entity_no, sequence),
    CHECK (isfinite(recorded_time) AND isfinite(effective_time) AND isfinite(expire_time)),
    CHECK (kind <> 1 OR expire_time > recorded_time),
    CHECK (kind <= 7 OR num_nonnulls(transaction_no, revision, status, postings_at, reverses) = 0),
    CHECK ((idempotency_key IS NULL) OR (span >= 1 AND request_hash IS NOT NULL)),
    CHECK (
        CASE
            WHEN kind <= 7 THEN
                transaction_no IS NOT NULL AND revision IS NOT NULL AND status IS NOT NULL
                AND postings_at IS NOT NULL AND effective_time IS NOT NULL
                AND (kind IN (1, 7)) = (revision = 1 AND transaction_no = sequence)
                AND (kind = 7) = (reverses IS NOT NULL AND revision = 1)
                AND CASE kind WHEN 1 THEN status <= 3 WHEN 2 THEN status <= 2 WHEN 3 THEN status = 2
                    WHEN 4 THEN status = 3 WHEN 5 THEN status = 4 WHEN 6 THEN status = 5 ELSE status = 3 END
            WHEN kind = 8 THEN idempotency_key IS NOT NULL AND detail IS NOT NULL
            WHEN kind IN (9, 10) THEN account_no IS NOT NULL AND detail IS NOT NULL
            ELSE detail IS NOT NULL
        END
    )
);
-- At most once: one use of a key in an entity, for ever.
CREATE UNIQUE INDEX events_by_key ON ledger.events (entity_no, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- One successor to each revision: of two racing approvals one fails. First revisions are found by the primary key.
CREATE UNIQUE INDEX events_by_revision ON ledger.events (entity_no, transaction_no, revision) WHERE revision > 1;
CREATE INDEX events_by_reference ON ledger.events (entity_no, reference, sequence)
    WHERE reference IS NOT NULL AND revision = 1;
CREATE INDEX events_by_effective_time ON ledger.events (entity_no, effective_time, sequence) WHERE revision = 1;
CREATE UNIQUE INDEX events_by_reversal ON ledger.events (entity_no, reverses, sequence) WHERE reverses IS NOT NULL;
CREATE INDEX events_by_end ON ledger.events (entity_no, status, transaction_no) WHERE revision > 1 AND status > 2;
CREATE INDEX events_by_edit ON ledger.events (entity_no, transaction_no) WHERE kind = 2 AND postings_at = sequence;
CREATE INDEX events_by_expiry ON ledger.events (entity_no, expire_time, sequence) WHERE kind = 6;

-- What each event did to the accounts. Amounts in minor units. Where any of the five needs more than 63
-- bits, all five stand in `wide` (amount, then the totals in their order) and the narrow ones are 0: the
-- few who need 38 digits have them, and the others do not pay for it.
CREATE TABLE ledger.entries (
    entity_no        int4 NOT NULL,
    account_no       int8 NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    number           int8 NOT NULL CHECK (number >= 1),
    sequence         int8 NOT NULL,
    -- 1 POST, 2 HOLD, 3 RELEASE, 4 SETTLE
    kind             int2 NOT NULL CHECK (kind BETWEEN 1 AND 4),
    -- Which posting of the transaction, from 0; in a reversal the original's.
    leg              int2 NOT NULL CHECK (leg >= 0),
    side             int2 NOT NULL CHECK (side IN (1, 2)),
    amount           int8 NOT NULL,
    debits_posted    int8 NOT NULL,
    credits_posted   int8 NOT NULL,
    debits_pending   int8 NOT NULL,
    credits_pending  int8 NOT NULL,
    effective_time   timestamptz NOT NULL,
    -- The latest effective time among this entry and all before it: rises with number, so that a balance
    -- as of a time is found by bisection instead of by adding up (docs/decisions/0004).
    latest_effective timestamptz NOT NULL,
    wide             numeric(38, 0)[],
    CONSTRAINT entries_amounts CHECK (
        (wide IS NULL AND amount > 0 AND debits_posted >= 0 AND credits_posted >= 0
            AND debits_pending >= 0 AND credits_pending >= 0)
        OR (array_ndims(wide) = 1 AND array_lower(wide, 1) = 1 AND cardinality(wide) = 5
            AND array_position(wide, NULL) IS NULL AND wide[1] > 0 AND 0 <= ALL (wide)
            AND amount = 0 AND debits_posted = 0 AND credits_posted = 0
            AND debits_pending = 0 AND credits_pending = 0)
    ),
    CONSTRAINT entries_latest_effective CHECK (latest_effective >= effective_time),
    PRIMARY KEY (entity_no, sequence, kind, leg),
    -- Rule 2: entries of an account and currency are one chain; a second writer breaks on it.
    CONSTRAINT entries_chain UNIQUE (entity_no, account_no, currency, number)
);

-- The entries that a bisection by time leaves out: effective before something recorded earlier. Few, so
-- this index costs the others nothing.
CREATE INDEX entries_backdated ON ledger.entries (entity_no, account_no, currency, effective_time, number)
    WHERE effective_time < latest_effective;

-- One row for each entity in each database transaction: which events it wrote. Written by the trigger
-- on events; its own deferred trigger proves at COMMIT that events and entries belong together.
CREATE TABLE ledger.commits (
    entity_no      int4 NOT NULL,
    first_sequence int8 NOT NULL,
    last_sequence  int8 NOT NULL,
    recorded_time  timestamptz NOT NULL,
    -- The database transaction: tells a writer that lost the connection whether this is its own work.
    writer         xid8 NOT NULL,
    PRIMARY KEY (entity_no, last_sequence),
    UNIQUE (entity_no, first_sequence),
    CHECK (first_sequence <= last_sequence)
);
CREATE INDEX commits_by_time ON ledger.commits (entity_no, recorded_time, last_sequence);

-- The transactions that are PENDING or CLEARED now. Follows from events; kept by their trigger alone.
CREATE TABLE ledger.open_transactions (
    entity_no      int4 NOT NULL,
    transaction_no int8 NOT NULL,
    -- The newest revision's event.
    sequence       int8 NOT NULL,
    expire_time    timestamptz,
    PRIMARY KEY (entity_no, transaction_no)
);
CREATE INDEX open_transactions_by_expiry ON ledger.open_transactions (entity_no, expire_time, transaction_no)
    WHERE expire_time IS NOT NULL;
-- For the tidying worker, which asks for all entities at once.
CREATE INDEX open_transactions_due ON ledger.open_transactions (expire_time) WHERE expire_time IS NOT NULL;

-- Bearer tokens. Only their HMAC is kept.
CREATE TABLE ledger.credentials (
    credential_id text COLLATE "C" PRIMARY KEY,
    name          text NOT NULL,
    token_hmac    bytea NOT NULL UNIQUE CHECK (octet_length(token_hmac) = 32),
    scopes        text[] NOT NULL CHECK (cardinality(scopes) >= 1),
    -- NULL: every entity.
    entity_ids    text[],
    created_time  timestamptz NOT NULL,
    expire_time   timestamptz,
    revoked_time  timestamptz
);

-- Currencies beyond ISO 4217, with their number of decimals.
CREATE TABLE ledger.currencies (
    code     text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Z][A-Z0-9_]{2,11}$'),
    exponent int2 NOT NULL CHECK (exponent BETWEEN 0 AND 18)
);
INSERT INTO ledger.currencies (code, exponent) VALUES ('BTC', 8), ('ETH', 18), ('USDC', 6), ('USDT', 6);

-- Secrets that all processes share: signs page tokens.
CREATE TABLE ledger.secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
INSERT INTO ledger.secrets (name, value) VALUES ('page_token_key', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- Tables that only grow need no early freeze of half-filled pages, but statistics soon after a burst.
ALTER TABLE ledger.events SET (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);
ALTER TABLE ledger.entries SET (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);

-- The trail of record.
--
-- `record` holds the canonical line, byte for byte, and is the truth. The columns beside it repeat
-- only what is indexed; `audit-server verify` holds them against it.

CREATE TABLE audit_logs (
    arrival    INTEGER PRIMARY KEY AUTOINCREMENT,  -- order in which this database received it
    stream     TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    timestamp  INTEGER NOT NULL,                   -- microseconds since the Unix epoch, UTC
    event_type TEXT    NOT NULL,
    record     TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX audit_logs_stream_seq ON audit_logs (stream, seq);
CREATE INDEX audit_logs_id ON audit_logs (id);
CREATE INDEX audit_logs_timestamp_event_type ON audit_logs (timestamp, event_type);

-- Records of the categories auth, security and admin, and every record whose status is `denied`.
CREATE TABLE security_events (
    arrival    INTEGER PRIMARY KEY REFERENCES audit_logs (arrival),
    timestamp  INTEGER NOT NULL,
    event_type TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    status     TEXT,
    user_id    TEXT,
    username   TEXT,
    ip_address TEXT,
    resource   TEXT
) STRICT;

CREATE INDEX security_events_timestamp ON security_events (timestamp);

-- Records of the categories financial, trade and risk. Amounts are decimal text, never floats.
CREATE TABLE financial_audit_logs (
    arrival        INTEGER PRIMARY KEY REFERENCES audit_logs (arrival),
    timestamp      INTEGER NOT NULL,
    event_type     TEXT    NOT NULL,
    status         TEXT,
    user_id        TEXT,
    correlation_id TEXT,
    amount         TEXT,   -- details.amount
    currency       TEXT,   -- details.currency
    symbol         TEXT,   -- details.symbol
    side           TEXT,   -- details.side
    quantity       TEXT,   -- details.quantity
    price          TEXT    -- details.price
) STRICT;

CREATE INDEX financial_audit_logs_timestamp ON financial_audit_logs (timestamp);

-- How far this database has got in each stream; written in the transaction of the records.
CREATE TABLE audit_cursors (
    stream TEXT    PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hash   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Records are never changed and never deleted. These triggers stop mistakes; whoever drops them
-- and changes a row is found by `audit-server verify`.
CREATE TRIGGER audit_logs_keep_update BEFORE UPDATE ON audit_logs
BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER audit_logs_keep_delete BEFORE DELETE ON audit_logs
BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END;
CREATE TRIGGER security_events_keep_update BEFORE UPDATE ON security_events
BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER security_events_keep_delete BEFORE DELETE ON security_events
BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END;
CREATE TRIGGER financial_audit_logs_keep_update BEFORE UPDATE ON financial_audit_logs
BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER financial_audit_logs_keep_delete BEFORE DELETE ON financial_audit_logs
BEGIN SELECT RAISE(ABORT, 'audit records are never deleted'); END;

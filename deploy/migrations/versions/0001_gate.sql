-- The gate's memory: the state of vault.gate.models at revision 0001. Rows are added and read, never changed.
CREATE SCHEMA gate;

CREATE TABLE gate.closed (
    id BYTEA NOT NULL,
    procedure_id UUID NOT NULL,
    box INTEGER NOT NULL,
    decision_id BYTEA,
    note BYTEA NOT NULL,
    list BYTEA NOT NULL,
    decision BYTEA,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (decision_id)
);
CREATE UNIQUE INDEX closed_main ON gate.closed (procedure_id, box) WHERE decision_id IS NULL;

CREATE TABLE gate.policy (
    procedure_id UUID NOT NULL,
    epoch INTEGER NOT NULL,
    policy_hash BYTEA NOT NULL,
    note BYTEA NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (procedure_id, epoch),
    UNIQUE (policy_hash)
);

CREATE TABLE gate.released (
    opening_id BYTEA NOT NULL,
    id BYTEA NOT NULL,
    note BYTEA NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (opening_id),
    UNIQUE (id)
);

CREATE TABLE gate.signed (
    id BYTEA NOT NULL,
    procedure_id UUID NOT NULL,
    attempt INTEGER NOT NULL,
    closings BYTEA[] NOT NULL,
    note BYTEA NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_gate_signed_procedure_id ON gate.signed (procedure_id);

CREATE FUNCTION gate.rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of the gate is never changed';
END $$;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['policy', 'closed', 'signed', 'released'] LOOP
        EXECUTE format('CREATE TRIGGER rows_stay BEFORE UPDATE OR DELETE ON gate.%I '
            'FOR EACH ROW EXECUTE FUNCTION gate.rows_stay()', name);
        EXECUTE format('CREATE TRIGGER rows_not_emptied BEFORE TRUNCATE ON gate.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION gate.rows_stay()', name);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bidvault_gate') THEN
        GRANT USAGE ON SCHEMA gate TO bidvault_gate;
        GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA gate TO bidvault_gate;
    END IF;
END $$;

/**
 * Not breaking: the first schema.
 *
 * A noun is one JSON document plus the columns that lists filter and sort by. `name_key` is the name in lower case:
 * names are unique, and are found, without regard to case.
 */
export const SPINE = `
CREATE TABLE models (
  name_key TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  arn TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;
CREATE INDEX models_by_creation ON models (created_at_ms, name_key);

CREATE TABLE endpoint_configs (
  name_key TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  arn TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;
CREATE INDEX endpoint_configs_by_creation ON endpoint_configs (created_at_ms, name_key);

CREATE TABLE endpoints (
  name_key TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  arn TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  status TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;
CREATE INDEX endpoints_by_creation ON endpoints (created_at_ms, name_key);
CREATE INDEX endpoints_by_status ON endpoints (status, name_key);
CREATE INDEX endpoints_by_status_and_creation ON endpoints (status, created_at_ms, name_key);

-- One row for each resource that can bear tags, with or without any: the row says that the ARN exists.
CREATE TABLE tag_sets (
  arn TEXT NOT NULL PRIMARY KEY,
  tags TEXT NOT NULL
) STRICT;

CREATE TABLE events (
  event_id INTEGER PRIMARY KEY,
  endpoint_key TEXT NOT NULL REFERENCES endpoints (name_key) ON DELETE CASCADE,
  document TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_endpoint ON events (endpoint_key, event_id);
`

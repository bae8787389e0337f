#!/bin/bash
exec "$VENV/bin/python" -m uvicorn app:app --app-dir "$SERVERS/fastapi" --host 127.0.0.1 --port "$PORT" \
  --loop uvloop --http httptools --no-access-log --log-level warning --workers "$WORKERS"

#!/bin/bash
exec "$VENV/bin/python" "$SERVERS/kserve/server.py" --http_port "$PORT" --enable_grpc false \
  --enable_latency_logging false --configure_logging true --log_config_file "$SERVERS/kserve/log.yaml" \
  --event-loop uvloop --workers "$WORKERS"

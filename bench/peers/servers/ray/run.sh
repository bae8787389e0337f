#!/bin/bash
# The HAProxy front is the faster of its two.
export RAY_SERVE_ENABLE_HA_PROXY=1 RAY_USAGE_STATS_ENABLED=0 RAY_SERVE_ENABLE_ACCESS_LOG=0
export PATH="$VENV/bin:$PATH"
exec "$VENV/bin/python" "$SERVERS/ray/app.py"

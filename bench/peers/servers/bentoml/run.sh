#!/bin/bash
export BENTOML_DO_NOT_TRACK=True BENTOML_HOME="$WORK"
cd "$SERVERS/bentoml" && exec "$VENV/bin/python" -m bentoml serve service:Mlp --host 127.0.0.1 --port "$PORT"

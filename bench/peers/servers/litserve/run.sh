#!/bin/bash
exec "$VENV/bin/python" "$SERVERS/litserve/server.py"

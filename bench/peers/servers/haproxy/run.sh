#!/bin/bash
# HAProxy in front of the FastAPI server, which listens on a port behind it.
PORT=$PORT_2 "$SERVERS/fastapi/run.sh" & BACK=$!
cat > "$WORK/haproxy.cfg" <<X
global
  nbthread 2
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:$PORT
  default_backend back
backend back
  server s1 127.0.0.1:$PORT_2 pool-max-conn 256
X
haproxy -f "$WORK/haproxy.cfg" & FRONT=$!
trap 'kill $FRONT $BACK; wait' TERM INT
wait $FRONT

#!/bin/bash
# nginx in front of the FastAPI server, which listens on a port behind it.
PORT=$PORT_2 "$SERVERS/fastapi/run.sh" & BACK=$!
cat > "$WORK/nginx.conf" <<X
worker_processes 2; daemon off; pid $WORK/nginx.pid; error_log $WORK/error.log error;
events { worker_connections 2048; }
http {
  access_log off; tcp_nodelay on; keepalive_requests 1000000000;
  client_body_in_single_buffer on; client_body_buffer_size 32k;
  client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  upstream back { server 127.0.0.1:$PORT_2; keepalive 256; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:$PORT; location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
X
nginx -c "$WORK/nginx.conf" -e "$WORK/error.log" & FRONT=$!
trap 'kill $FRONT $BACK; wait' TERM INT
wait $FRONT

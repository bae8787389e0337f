#!/bin/bash
mkdir -p "$WORK/mlp"
cat > "$WORK/log.ini" <<X
[loggers]
keys=root
[handlers]
keys=h
[formatters]
keys=f
[logger_root]
level=WARNING
handlers=h
[handler_h]
class=StreamHandler
level=WARNING
formatter=f
[formatter_f]
format=%(message)s
X
cat > "$WORK/settings.json" <<X
{"debug": false, "host": "127.0.0.1", "http_port": $PORT, "grpc_port": $PORT_2, "metrics_endpoint": null,
 "metrics_port": $PORT_3, "parallel_workers": $WORKERS, "logging_settings": "$WORK/log.ini", "gzip_enabled": false}
X
cat > "$WORK/mlp/model-settings.json" <<X
{"name": "mlp", "implementation": "runtime.Mlp",
 "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 64]}],
 "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 10]}]}
X
export PYTHONPATH="$PYTHONPATH:$SERVERS/mlserver"
cd "$WORK" && exec "$VENV/bin/python" -m mlserver.cli.main start "$WORK"

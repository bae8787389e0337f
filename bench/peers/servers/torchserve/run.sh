#!/bin/bash
export PATH="$VENV/bin:$PATH" TMPDIR="$WORK" LOG_LOCATION="$WORK" METRICS_LOCATION="$WORK" TS_DISABLE_SYSTEM_METRICS=true
export PYTHONPATH="$PYTHONPATH:$VENV/lib/$(ls "$VENV/lib" | head -1)/site-packages"
cd "$WORK" && mkdir -p store && cp "$MODEL" model.onnx
"$VENV/bin/torch-model-archiver" --model-name mlp --version 1.0 --serialized-file model.onnx \
  --handler "$SERVERS/torchserve/handler.py" --export-path store
cat > config.properties <<X
inference_address=http://127.0.0.1:$PORT
management_address=http://127.0.0.1:$PORT_2
metrics_address=http://127.0.0.1:$PORT_3
disable_token_authorization=true
disable_system_metrics=true
enable_envvars_config=false
load_models=mlp.mar
model_store=$WORK/store
job_queue_size=1000
models={"mlp": {"1.0": {"defaultVersion": true, "marName": "mlp.mar", "minWorkers": $WORKERS, "maxWorkers": $WORKERS, "batchSize": $BATCH, "maxBatchDelay": 1, "responseTimeout": 60}}}
X
cat > log4j2.xml <<X
<?xml version="1.0" encoding="UTF-8"?>
<Configuration><Appenders><Console name="STDOUT"><PatternLayout pattern="%p %m%n"/></Console></Appenders>
<Loggers><Root level="error"><AppenderRef ref="STDOUT"/></Root></Loggers></Configuration>
X
exec "$VENV/bin/torchserve" --foreground --ncs --ts-config config.properties --log-config log4j2.xml

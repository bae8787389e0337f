#!/bin/bash
# The tritonserver binary of nvidia-pytriton, without its Python front: C++ HTTP server, Python backend.
PACKAGES="$VENV/lib/$(ls "$VENV/lib" | head -1)/site-packages"
PREFIX=$("$VENV/bin/python" -c 'import sys; print(sys.base_prefix)')
TRITON="$PACKAGES/pytriton/tritonserver"
# The stub that runs the model is chosen by the interpreter's version; Triton looks for it beside its backend.
VERSION=$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
mkdir -p "$WORK/backends" && cp -r "$TRITON/backends/python" "$WORK/backends/python"
cp "$TRITON/python_backend_stubs/$VERSION/triton_python_backend_stub" "$WORK/backends/python/"
mkdir -p "$WORK/repo/mlp/1" && cp "$SERVERS/triton/model.py" "$WORK/repo/mlp/1/model.py"
cat > "$WORK/repo/mlp/config.pbtxt" <<X
name: "mlp"
backend: "python"
max_batch_size: 64
input [ { name: "input" data_type: TYPE_FP32 dims: [ 64 ] } ]
output [ { name: "output" data_type: TYPE_FP32 dims: [ 10 ] } ]
instance_group [ { kind: KIND_CPU count: $WORKERS } ]
dynamic_batching { max_queue_delay_microseconds: 0 }
X
export LD_LIBRARY_PATH="$PREFIX/lib:$PACKAGES/nvidia_pytriton.libs" PYTHONHOME="$PREFIX" PYTHONPATH="$PACKAGES:$PYTHONPATH"
exec "$TRITON/bin/tritonserver" --model-repository="$WORK/repo" --backend-directory="$WORK/backends" \
  --http-address=127.0.0.1 --http-port="$PORT" --allow-grpc=false --allow-metrics=false --log-verbose=0 \
  --http-thread-count=2

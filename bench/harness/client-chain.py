"""A row through an ensemble and through its steps one by one, by Triton's own client over HTTP; prints medians in microseconds.

Arguments: address, name of the ensemble, names of the steps. Blocks of both alternate.
"""

import json
import statistics
import sys
import time

import numpy
import tritonclient.http as http

WARM, BLOCKS, BLOCK = 300, 15, 100
address, ensemble, steps = sys.argv[1], sys.argv[2], sys.argv[3:]
client = http.InferenceServerClient(address)
row = numpy.sin(numpy.arange(64, dtype="float32")).reshape(1, 64)
wanted = [http.InferRequestedOutput("output", binary_data=True)]


def infer(model, values):
    given = http.InferInput("input", [1, 64], "FP32")
    given.set_data_from_numpy(values, binary_data=True)
    return client.infer(model, [given], outputs=wanted).as_numpy("output")


def by_ensemble():
    return infer(ensemble, row)


def by_steps():
    values = row
    for step in steps:
        values = infer(step, values)
    return values


assert numpy.allclose(by_ensemble(), by_steps(), rtol=1e-4)
taken = {by_ensemble: [], by_steps: []}
for function in taken:
    for _ in range(WARM):
        function()
for _ in range(BLOCKS):
    for function, times in taken.items():
        for _ in range(BLOCK):
            started = time.perf_counter()
            function()
            times.append((time.perf_counter() - started) * 1e6)
print(json.dumps({"ensembleUs": statistics.median(taken[by_ensemble]), "callsUs": statistics.median(taken[by_steps])}))

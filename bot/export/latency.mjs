// Runs networks with ONNX Runtime for JavaScript and times them; the same in a browser and in Node.
// A job is {file, repeats, feed: {name: {dtype, shape, data}}}; numbers of 64 bits travel as strings.

const ARRAYS = {
  float32: (data) => Float32Array.from(data),
  float64: (data) => Float64Array.from(data),
  int64: (data) => BigInt64Array.from(data, BigInt),
  int32: (data) => Int32Array.from(data),
  bool: (data) => Uint8Array.from(data, Number),
};

/** @param {number[]} sorted */
const middle = (sorted) => sorted[Math.floor(sorted.length / 2)];

/** Open each job's file with `read`, run it once for its outputs and `repeats` times for its latency in ms. */
export async function measure(ort, read, jobs) {
  ort.env.wasm.numThreads = 1;
  const results = [];
  for (const { file, repeats, feed } of jobs) {
    const content = await read(file);
    const started = performance.now();
    const session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
    const loadMs = performance.now() - started;
    const tensors = Object.fromEntries(
      Object.entries(feed).map(([name, { dtype, shape, data }]) => [
        name,
        new ort.Tensor(dtype, ARRAYS[dtype](data), shape),
      ]),
    );
    const outputs = await session.run(tensors);
    const times = [];
    for (let round = 0; round < repeats; round += 1) {
      const before = performance.now();
      await session.run(tensors);
      times.push(performance.now() - before);
    }
    times.sort((a, b) => a - b);
    results.push({
      file,
      load_ms: loadMs,
      p50_ms: times.length ? middle(times) : null,
      outputs: Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data, Number)])),
    });
    await session.release();
  }
  return results;
}

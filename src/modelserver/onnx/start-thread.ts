import { Worker } from 'node:worker_threads'

// V8 takes 64 MB for each half of a thread's young generation when it may, step by step, and gives nothing back: a thread
// grew by 130 MB in its first 400 000 small requests. What is alive at a time here is what is outstanding, some hundred
// kilobytes, so a small one is collected more often at the same cost. Three times one half.
const YOUNG_GENERATION_MB = 12

/** Starts an inference thread. */
export function startThread(url: URL, workerData?: unknown): Worker {
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB }
  return new Worker(url, { workerData, resourceLimits })
}

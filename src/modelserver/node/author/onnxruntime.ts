/**
 * What user code gets as `onnxruntime-node` unless it has its own: the runtime that Berth itself serves with. Named one by one:
 * a bundler cannot tell the names of a CommonJS module otherwise.
 */
export { default, env, InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'

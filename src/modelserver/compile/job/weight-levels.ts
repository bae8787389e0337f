import { readFileSync } from 'node:fs'

/** Largest int8 weight on processors that add four products at once in 32 bits. */
const LEVELS_FULL = 127
/**
 * Elsewhere on x86 ONNX Runtime multiplies unsigned activations by signed weights with VPMADDUBSW, which adds two
 * products in 16 bits: 2 × 255 × 64 fits, 2 × 255 × 127 saturates and gives wrong sums.
 * Source: ONNX Runtime documentation, "Quantize ONNX models", on `reduce_range`.
 */
const LEVELS_REDUCED = 64

/** The largest weight that this processor multiplies without saturation. */
export function weightLevelMax(): number {
  return decideLevelMax(process.arch, readCpuInfo())
}

/** The same for a processor as Linux describes it. */
export function decideLevelMax(arch: string, cpuInfo: string): number {
  if (arch !== 'x64') return LEVELS_FULL
  const flags = /^flags\s*:\s*(.+)$/m.exec(cpuInfo)?.[1]?.split(/\s+/) ?? []
  const isExact = flags.includes('avx512_vnni') || flags.includes('avx_vnni')
  return isExact ? LEVELS_FULL : LEVELS_REDUCED
}

function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    // Not Linux.
    return ''
  }
}

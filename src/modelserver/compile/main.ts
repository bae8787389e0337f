/**
 * Optimises one model and ends: `node compile/main.ts --model-directory DIR --content-hash HASH --models-directory DIR`.
 *
 * A process of its own: it takes seconds of native code and memory for the model several times over, and may die of a
 * model without harm to anything that serves. Each line on stdout is an `OptimiserReport`.
 */
import { constants, setPriority } from 'node:os'
import { parseArgs } from 'node:util'
import { optimise } from './optimise.ts'

const { values } = parseArgs({
  options: {
    'model-directory': { type: 'string' },
    'content-hash': { type: 'string' },
    'models-directory': { type: 'string' },
  },
})
const modelDirectory = values['model-directory']
const contentHash = values['content-hash']
const modelsDirectory = values['models-directory']
if (!modelDirectory || !contentHash || !modelsDirectory) {
  throw new Error('--model-directory, --content-hash and --models-directory are needed.')
}
// Whoever started it holds the other end; with nobody to tell, there is nothing to do.
process.stdin.on('end', () => process.exit(1)).on('error', () => process.exit(1))
process.stdin.resume().unref?.()
// Whoever serves goes first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
await optimise({ modelDirectory, contentHash, modelsDirectory }, (line) => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
})

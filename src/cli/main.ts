// The program `berth`: the only file of the room that acts when it is imported.
import { runCli } from './run.ts'

process.exitCode = await runCli(process.argv.slice(2))

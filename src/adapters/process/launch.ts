import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { INSTALLATION_MARKER, INSTANCE_MARKER } from './process-table.ts'

/** One process to start. */
export interface ProcessLaunch {
  readonly command: string
  readonly arguments: readonly string[]
  readonly folder: string
  /** Opened for appending; closed here, the process keeps its own. */
  readonly logFd: number
  readonly environment: Readonly<Record<string, string>>
  readonly installationId: string
  readonly instanceId: string
  readonly openFilesMax: number
  /** Whether it is given a message channel from this process. @defaultValue false */
  readonly hasChannel?: boolean
}

// The shell becomes the program, so the pid stays. No core files: one of a gigabyte process would fill the disk. A raised
// out-of-memory score makes the kernel take an instance before the platform. What the system refuses is left as it is.
const WITH_LIMITS = `
ulimit -c 0
ulimit -n "$1" 2>/dev/null || :
{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null || :
shift
exec "$@"`

/**
 * Starts a container's process in a session and process group of its own, logging straight to its file.
 *
 * It outlives this process: nothing of it is a pipe to us, unless it asked for a channel.
 */
export function launchProcess(launch: ProcessLaunch): ChildProcess {
  const { instanceId, installationId, logFd } = launch
  try {
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        WITH_LIMITS,
        'berth-instance',
        String(launch.openFilesMax),
        launch.command,
        ...launch.arguments,
      ],
      {
        cwd: launch.folder,
        detached: true,
        stdio: ['ignore', logFd, logFd, ...(launch.hasChannel === true ? (['ipc'] as const) : [])],
        env: {
          // glibc gives freed memory back sooner: many small servers share the machine.
          MALLOC_TRIM_THRESHOLD_: '65536',
          ...launch.environment,
          [INSTALLATION_MARKER]: installationId,
          [INSTANCE_MARKER]: instanceId,
        },
      },
    )
    child.unref()
    return child
  } finally {
    closeSync(logFd)
  }
}

import { createInterface } from 'node:readline/promises'
import { DeleteEndpointCommand } from '@aws-sdk/client-sagemaker'
import { createS3Client, createSageMakerClient } from './client/aws-clients.ts'
import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import { deleteOwned, findOwned } from './deploy/owned.ts'
import { findEndpoint, waitUntilSettled } from './deploy/wait.ts'
import type { ExitReason } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth delete`. */
export interface DeleteOptions extends TargetOptions {
  readonly yes?: boolean
  readonly json?: boolean
}

/** Deletes an endpoint, waits until it is gone, then deletes what `berth deploy` made for it. */
export async function runDelete(
  name: string,
  options: DeleteOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  const target = findBerth(options)
  const sagemaker = await createSageMakerClient(target)
  const endpoint = await findEndpoint(sagemaker, name)
  if (endpoint === undefined) {
    throw new CliFailure('notFound', `There is no endpoint ${name}.`, {
      cure: 'berth list shows the endpoints.',
    })
  }
  if (options.yes !== true && terminal.isInteractive && !(await confirm(name))) {
    terminal.note('Nothing was deleted.')
    return 'failed'
  }
  using progress = terminal.startProgress(`Deleting ${name}`)
  const owned = await findOwned(sagemaker, endpoint.EndpointConfigName)
  await sagemaker.send(new DeleteEndpointCommand({ EndpointName: name }))
  await waitUntilSettled(sagemaker, name, progress)
  if (owned !== undefined) await deleteOwned({ sagemaker, s3: await createS3Client(target) }, owned)
  progress.stop()
  const config = owned?.configName
  const models = owned?.models.map((model) => model.name) ?? []
  if (options.json === true) terminal.printJson({ endpoint: name, config, models })
  else
    terminal.print(
      `${name} deleted${owned === undefined ? '' : ', with its config, model and archive'}`,
    )
  return 'ok'
}

async function confirm(name: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(`Delete endpoint ${name}? [y/N] `)).trim())
  } finally {
    lines.close()
  }
}

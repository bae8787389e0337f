import { Command, InvalidArgumentError, Option } from 'commander'
import { OPTIONS } from '../platform/options.ts'
import { packageVersion } from '../platform/program.ts'
import type { DeployOptions } from './deploy.ts'
import type { DeleteOptions } from './delete.ts'
import type { DescribeOptions } from './describe.ts'
import type { DoctorOptions } from './doctor.ts'
import type { EnvOptions } from './env.ts'
import type { FeaturesLoadOptions } from './features/load.ts'
import { describeExitCodes } from './exit-codes.ts'
import type { ExitReason } from './exit-codes.ts'
import type { InvokeOptions } from './invoke.ts'
import type { ListOptions } from './list.ts'
import type { LogsOptions } from './logs.ts'
import type { Terminal } from './terminal/terminal.ts'
import type { UpOptions } from './up.ts'

/** What the commands are given by {@link runCli}. */
export interface ProgramDeps {
  readonly terminal: Terminal
  /** Called once, when a command has ended by itself. */
  readonly end: (reason: ExitReason) => void
}

/**
 * The command line of Berth: names, options and help. The file of a command is loaded when the command runs, so
 * that `berth --version` does not pay for the AWS clients.
 */
export function createProgram(deps: ProgramDeps): Command {
  const program = new Command('berth')
    .description(
      'Hosts machine-learning models behind the API of Amazon SageMaker, on this machine.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .exitOverride()
    .configureHelp({ showGlobalOptions: false, helpWidth: 100 })
    .showSuggestionAfterError()
    .addHelpText('after', `\n${GETTING_STARTED}\n\n${describeExitCodes()}`)
  addUp(program, deps)
  addEnv(program, deps)
  addDeploy(program, deps)
  addInvoke(program, deps)
  addList(program, deps)
  addDescribe(program, deps)
  addLogs(program, deps)
  addDelete(program, deps)
  addDoctor(program, deps)
  addModelServer(program, deps)
  addFeatures(program, deps)
  return program
}

const GETTING_STARTED = `Getting started:
  $ berth up                                    # in one terminal
  $ berth deploy ./model.onnx --name digits     # in another
  $ berth invoke digits --body @one-image.json
  $ eval "$(berth env)"; aws sagemaker list-endpoints`

function addUp(program: Command, { end }: ProgramDeps): void {
  command(program, 'up', 'Run the whole platform in the foreground until Ctrl-C.', [
    'berth up',
    'berth up --port 0 --data-dir /tmp/try --json   # a free port, printed as JSON',
    'BERTH_GATEWAYS=4 berth up                      # options by environment: docs/reference/options.md',
  ])
    .option('--host <address>', `address to listen on (default: ${OPTIONS.BERTH_HOST.default})`)
    .option(
      '--port <port>',
      `port to listen on, 0 for a free one (default: ${OPTIONS.BERTH_PORT.default})`,
    )
    .option(
      '--data-dir <dir>',
      `where everything is kept (default: ${OPTIONS.BERTH_DATA_DIR.default})`,
    )
    .option('--config <file>', 'JSON object of options; flags and environment override it')
    .option('--json', 'print events as JSON lines')
    .action(async (options: UpOptions) => end(await (await import('./up.ts')).runUp(options)))
}

function addEnv(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(program, 'env', 'Print the environment that points AWS clients at Berth.', [
    'eval "$(berth env)"',
    'berth env --shell fish | source',
    'berth env --shell powershell | Invoke-Expression',
  ])
    .addOption(
      new Option('--shell <shell>', 'syntax to print; by default that of $SHELL').choices([
        'sh',
        'bash',
        'zsh',
        'fish',
        'powershell',
        'cmd',
      ]),
    )
    .option('--json', 'print one JSON object instead')
    .action(async (options: EnvOptions) =>
      end((await import('./env.ts')).runEnv(options, terminal)),
    )
}

function addDeploy(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(
    program,
    'deploy',
    'Make an endpoint of a model file, folder or .tar.gz, or update it.',
    [
      'berth deploy model.onnx --name digits',
      'berth deploy ./my-model --instances 2      # name taken from the folder',
      'berth deploy ./code-model --env LIMIT=5    # code/inference.py, code/inference.ts, graph.yaml, …',
    ],
  )
    .argument('<path>', 'an .onnx file, or a folder or .tar.gz that a built-in image serves')
    .option('--name <name>', 'name of the endpoint (default: from the path)')
    .option('--image <image>', 'image that serves it (default: by content)')
    .option('--instance-type <type>', 'instance type', 'ml.m5.large')
    .option('--instances <count>', 'number of instances', parsePositive, 1)
    .addOption(
      new Option('--env <name=value>', 'variable of the container; may be repeated')
        .argParser(parseVariable)
        .default({}, 'none'),
    )
    .option('--json', 'print the result as JSON')
    .action(async (path: string, options: DeployOptions) =>
      end(await (await import('./deploy.ts')).runDeploy(path, options, terminal)),
    )
}

function addInvoke(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(
    program,
    'invoke',
    "Send one invocation; the model's answer goes to stdout as it is.",
    [
      `berth invoke digits --body '{"instances": [[0, 1, 2]]}'`,
      'berth invoke digits --body @rows.csv --accept application/json',
      'berth invoke tenants --target-model acme.tar.gz --body @rows.csv',
      'cat rows.npy | berth invoke digits --content-type application/x-npy --body -',
    ],
  )
    .argument('<name>', 'endpoint')
    .option('--body <text>', 'the body: a string, @FILE, or - for standard input', '-')
    .option(
      '--content-type <type>',
      'content type of the body (default: by file extension or content)',
    )
    .option('--accept <type>', 'content type wanted back')
    .option('--target-variant <variant>', 'variant to invoke, whatever the weights')
    .option('--target-container <hostname>', 'container to invoke, of those invoked directly')
    .option('--target-model <archive>', 'model to invoke behind a multi-model endpoint')
    .option('--stream', 'print the answer while it arrives')
    .option('--json', 'print answer, variant and latency as one JSON object')
    .action(async (name: string, options: InvokeOptions) =>
      end(await (await import('./invoke.ts')).runInvoke(name, options, terminal)),
    )
}

function addList(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(program, 'list', 'List the endpoints.', [
    'berth list',
    'berth list --json | jq -r .[].name',
  ])
    .option('--limit <count>', 'at most so many, newest first', parsePositive, 100)
    .option('--json', 'print a JSON array')
    .action(async (options: ListOptions) =>
      end(await (await import('./list.ts')).runList(options, terminal)),
    )
}

function addDescribe(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(
    program,
    'describe',
    'Show an endpoint: variants, instances, health and what happened lately.',
    [
      'berth describe digits',
      'berth describe --platform --json      # the processes of Berth itself',
    ],
  )
    .argument('[name]', 'endpoint')
    .option('--platform', "show the platform's own processes instead of an endpoint")
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: DescribeOptions) =>
      end(await (await import('./describe.ts')).runDescribe(name, options, terminal)),
    )
}

function addLogs(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(program, 'logs', "Print what an endpoint's containers wrote.", [
    'berth logs digits',
    'berth logs digits --follow --lines 0',
    'berth logs wine --container score',
  ])
    .argument('<name>', 'endpoint')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('-n, --lines <count>', 'how many of the last lines', parseCount, 100)
    .option('--container <hostname>', 'of several containers, only this one')
    .option('--json', 'print JSON lines, each with the text as it was written')
    .action(async (name: string, options: LogsOptions) =>
      end(await (await import('./logs.ts')).runLogs(name, options, terminal)),
    )
}

function addDelete(program: Command, { terminal, end }: ProgramDeps): void {
  targetCommand(program, 'delete', 'Delete an endpoint, and what `berth deploy` made for it.', [
    'berth delete digits --yes',
  ])
    .argument('<name>', 'endpoint')
    .option('-y, --yes', 'do not ask; nobody is asked when there is no terminal')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, options: DeleteOptions) =>
      end(await (await import('./delete.ts')).runDelete(name, options, terminal)),
    )
}

function addDoctor(program: Command, { terminal, end }: ProgramDeps): void {
  command(
    program,
    'doctor',
    'Say what on this machine, or in a model or image, would stop it from serving.',
    ['berth doctor', 'berth doctor ./model.onnx', 'berth doctor berth/onnx'],
  )
    .argument('[subject]', 'a model path or an image')
    .option(
      '--data-dir <dir>',
      `data directory to look at (default: ${OPTIONS.BERTH_DATA_DIR.default})`,
    )
    .option(
      '--host <address>',
      `address that \`berth up\` would use (default: ${OPTIONS.BERTH_HOST.default})`,
    )
    .option(
      '--port <port>',
      `port that \`berth up\` would use (default: ${OPTIONS.BERTH_PORT.default})`,
    )
    .option('--json', 'print a JSON array of findings')
    .action(async (subject: string | undefined, options: DoctorOptions) =>
      end(await (await import('./doctor.ts')).runDoctor(subject, options, terminal)),
    )
}

function addModelServer(program: Command, { end }: ProgramDeps): void {
  command(
    program,
    'model-server',
    'Serve a Triton model repository, with the flags of tritonserver.',
    [
      'berth model-server --model-repository ./models',
      'berth model-server --model-repository ./models --model-control-mode=explicit --load-model=digits',
    ],
  )
    .usage('--model-repository <dir> [flags of tritonserver]')
    // The model server knows its flags itself.
    .helpOption(false)
    .option('-h, --help', 'print help and the flags')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async ({ help }: { readonly help?: boolean }, serverCommand: Command) => {
      const { runModelServer } = await import('./model-server.ts')
      if (help === true) serverCommand.outputHelp()
      end(await runModelServer(help === true ? ['--help'] : serverCommand.args))
    })
}

function addFeatures(program: Command, { terminal, end }: ProgramDeps): void {
  const features = program
    .command('features')
    .description('Make tables of precomputed features, which graphs read by key.')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
  command(
    features,
    'load',
    'Make a feature table of a file of rows, in one step in place of the old.',
    [
      'berth features load customers.csv --key customer_id --into customers.db',
      'berth features load embeddings.jsonl --key id --into /srv/embeddings.db',
    ],
  )
    .argument('<file>', 'CSV with a line of names, or JSON Lines')
    .requiredOption('--key <column>', 'column whose value is looked up; each only once')
    .requiredOption('--into <file>', 'feature table to write: one file of SQLite')
    .addOption(
      new Option('--format <format>', 'of the file (default: by its extension)').choices([
        'csv',
        'jsonl',
      ]),
    )
    .option('--json', 'print the result as JSON')
    .action(async (path: string, options: FeaturesLoadOptions) =>
      end(await (await import('./features/load.ts')).runFeaturesLoad(path, options, terminal)),
    )
}

/** A command of a running Berth: adds the options that say which one. */
function targetCommand(
  program: Command,
  name: string,
  summary: string,
  examples: readonly string[],
): Command {
  return command(program, name, summary, examples)
    .option(
      '--endpoint-url <url>',
      'URL of the Berth to talk to (default: AWS_ENDPOINT_URL, else the data directory says)',
    )
    .option(
      '--data-dir <dir>',
      `data directory of the Berth to talk to (default: ${OPTIONS.BERTH_DATA_DIR.default})`,
    )
}

function command(
  program: Command,
  name: string,
  summary: string,
  examples: readonly string[],
): Command {
  return program
    .command(name)
    .description(summary)
    .helpOption('-h, --help', 'print help')
    .addHelpText(
      'after',
      `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n\n${describeExitCodes()}`,
    )
}

/** @throws InvalidArgumentError: it is not NAME=VALUE. */
function parseVariable(
  text: string,
  previous: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? []
  if (name !== undefined && value !== undefined) return { ...previous, [name]: value }
  throw new InvalidArgumentError(`"${text}" is not NAME=VALUE.`)
}

function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number.')
}

function parsePositive(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

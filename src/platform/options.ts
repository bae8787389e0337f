interface OptionCommon {
  /** One sentence for `--help` and the reference page. */
  readonly doc: string
}

/** A whole number with bounds, both inclusive. */
export interface IntegerOption extends OptionCommon {
  readonly kind: 'integer'
  readonly default: number
  readonly min: number
  readonly max: number
  readonly unit: string
}

/** A string with a pattern it must match as a whole. */
export interface TextOption extends OptionCommon {
  readonly kind: 'text'
  readonly default: string
  readonly pattern: RegExp
  /** What the pattern means, for the error message. */
  readonly expected: string
}

/** One of a closed set. */
export interface ChoiceOption extends OptionCommon {
  readonly kind: 'choice'
  readonly default: string
  readonly choices: readonly string[]
}

/** A row of {@link OPTIONS}. */
export type OptionSpec = IntegerOption | TextOption | ChoiceOption

/**
 * Every option of `berth up`: one row each. Parser, environment names, `--help` and the reference page come from
 * this table.
 */
export const OPTIONS = {
  BERTH_HOST: {
    kind: 'text',
    default: '127.0.0.1',
    pattern: /^[A-Za-z0-9.:_-]+$/,
    expected: 'a host name or IP address',
    doc: 'Address the public port listens on. Berth speaks plain HTTP: put TLS in front before you leave the machine.',
  },
  BERTH_PORT: {
    kind: 'integer',
    default: 7070,
    min: 0,
    max: 65_535,
    unit: 'port',
    doc: 'The one public port; 0 picks a free one and prints it.',
  },
  BERTH_DATA_DIR: {
    kind: 'text',
    default: '~/.berth',
    pattern: /^.+$/,
    expected: 'a folder',
    doc: 'Folder of everything this installation keeps; a leading ~ is the home folder.',
  },
  BERTH_ACCOUNT_ID: {
    kind: 'text',
    default: '000000000000',
    pattern: /^\d{12}$/,
    expected: '12 digits',
    doc: 'Account id in every ARN.',
  },
  BERTH_REGION: {
    kind: 'text',
    default: 'us-east-1',
    pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
    expected: 'a region name such as us-east-1',
    doc: 'Region in every ARN; signatures scoped to another region are refused.',
  },
  BERTH_GATEWAYS: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 64,
    unit: 'processes',
    doc: 'Gateway processes that share the public port.',
  },
  BERTH_LOG_LEVEL: {
    kind: 'choice',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error'],
    doc: 'Least severe level that is logged.',
  },
  BERTH_BODY_BYTES_MAX: {
    kind: 'integer',
    default: 6_291_456,
    min: 1_024,
    max: 26_214_400,
    unit: 'bytes',
    doc: "Largest body of an invocation; the default is SageMaker's limit.",
  },
  BERTH_BUFFERED_BYTES_MAX: {
    kind: 'integer',
    default: 268_435_456,
    min: 1_048_576,
    max: 17_179_869_184,
    unit: 'bytes',
    doc: 'Bodies that one gateway holds at a time, all invocations together; past it invocations get 503.',
  },
  BERTH_INVOCATION_TIMEOUT_MS: {
    kind: 'integer',
    default: 60_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: "How long an invocation may take until the container's reply begins and, unless it streams, ends.",
  },
  BERTH_STREAM_TIMEOUT_MS: {
    kind: 'integer',
    default: 480_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How long a response stream may take in all. Not less than BERTH_INVOCATION_TIMEOUT_MS.',
  },
  BERTH_ROUTER_WAITING_MAX: {
    kind: 'integer',
    default: 100,
    min: 0,
    max: 10_000,
    unit: 'invocations',
    doc: 'Invocations that may wait for a slot, per variant and gateway, before 503.',
  },
  BERTH_SLOTS_PER_INSTANCE: {
    kind: 'integer',
    default: 64,
    min: 1,
    max: 10_000,
    unit: 'invocations',
    doc: 'Invocations that one gateway forwards to one instance at a time.',
  },
  BERTH_OBJECTIVE_MS: {
    kind: 'integer',
    default: 0,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    doc: 'Within which an answer is useful: invocations that would be answered later get 503 at once, so that the others are in time; 0 is BERTH_INVOCATION_TIMEOUT_MS.',
  },
  BERTH_SHEDDING: {
    kind: 'choice',
    default: 'on',
    choices: ['on', 'off'],
    doc: 'Whether invocations that cannot be answered in time are rejected at once; off lets everything wait while there is room.',
  },
  BERTH_CONNECTIONS_MAX: {
    kind: 'integer',
    default: 20_000,
    min: 16,
    max: 1_000_000,
    unit: 'connections',
    doc: 'Client connections one gateway holds; further ones are closed at once.',
  },
  BERTH_HEADERS_TIMEOUT_MS: {
    kind: 'integer',
    default: 10_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    doc: 'How long a client may take to send the head of a request.',
  },
  BERTH_BODY_TIMEOUT_MS: {
    kind: 'integer',
    default: 60_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How long a client may take to send the body of an invocation; for other operations, its longest silence.',
  },
  BERTH_IDLE_TIMEOUT_MS: {
    kind: 'integer',
    default: 65_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How long an idle client connection is kept open.',
  },
  BERTH_DESCRIBE_HOLD_MS: {
    kind: 'integer',
    default: 2_500,
    min: 0,
    max: 20_000,
    unit: 'ms',
    doc: 'How long DescribeEndpoint waits for a change in progress to settle, because SDK waiters look once and then sleep 30 s; 0 answers at once.',
  },
  BERTH_START_ATTEMPTS_MAX: {
    kind: 'integer',
    default: 3,
    min: 1,
    max: 100,
    unit: 'starts',
    doc: 'Failed starts in a row after which a deployment fails.',
  },
  BERTH_WARM_POOL: {
    kind: 'integer',
    default: 0,
    min: 0,
    max: 64,
    unit: 'processes',
    doc: 'Model servers that wait with ONNX Runtime loaded to become instances of berth/onnx, which then start in milliseconds; each takes about 110 MB while it waits, 40 MB of them its own.',
  },
  BERTH_CAPACITY: {
    kind: 'choice',
    default: 'over-commit',
    choices: ['over-commit', 'strict'],
    doc: 'Whether instances may ask for more than this machine has; strict refuses them with the reason InsufficientInstanceCapacity.',
  },
  BERTH_MODEL_BYTES_MAX: {
    kind: 'integer',
    default: 107_374_182_400,
    min: 1_048_576,
    max: 1_099_511_627_776,
    unit: 'bytes',
    doc: 'Largest size of one unpacked model artifact.',
  },
  BERTH_MODEL_DISK_BYTES: {
    kind: 'integer',
    default: 53_687_091_200,
    min: 1_048_576,
    max: 1_125_899_906_842_624,
    unit: 'bytes',
    doc: 'What the unpacked models of multi-model endpoints may take of the disk, measured; those worth least that nothing is loaded from are removed and fetched again when they are asked for.',
  },
  BERTH_MAPPED_WEIGHTS: {
    kind: 'choice',
    default: 'on',
    choices: ['on', 'off'],
    doc: 'Whether large ONNX models are optimised once and mapped from the page cache, one copy for all workers; off loads the original into each.',
  },
  BERTH_COMPILATION_JOBS_MAX: {
    kind: 'integer',
    default: 1,
    min: 1,
    max: 64,
    unit: 'jobs',
    doc: 'Compilation jobs that run at a time; each takes a core and the memory of its model several times over.',
  },
  BERTH_ORPHAN_GRACE_SECONDS: {
    kind: 'integer',
    default: 86_400,
    min: 0,
    max: 31_536_000,
    unit: 's',
    doc: 'How long gateways and built-in instances outlive a control process that is gone; 0 is for ever.',
  },
  BERTH_FRONT: {
    kind: 'choice',
    default: 'strict',
    choices: ['strict', 'node'],
    doc: "Who reads invocations from clients' sockets: Berth's strict reader of regular requests, which is several times faster, or Node's HTTP server, which reads all other requests anyway.",
  },
  BERTH_TRANSPORT: {
    kind: 'choice',
    default: 'frames',
    choices: ['frames', 'http'],
    doc: 'How gateways speak to built-in model servers; other containers always get HTTP.',
  },
  BERTH_POLLING: {
    kind: 'choice',
    default: 'on',
    choices: ['on', 'off'],
    doc: 'Whether a gateway stays awake for the fraction of a millisecond in which a small model answers, which makes a lone call a third faster and uses a core meanwhile; never on a machine with one core.',
  },
  BERTH_BATCHING: {
    kind: 'choice',
    default: 'on',
    choices: ['on', 'off'],
    doc: 'Whether invocations that wait for one worker may share a run of the model, where its rows are independent.',
  },
  BERTH_PYTHON: {
    kind: 'text',
    default: 'python3',
    pattern: /^\S+$/,
    expected: 'a program name or an absolute path',
    doc: 'Python 3.9 or newer for berth/python and for the Python models of berth/triton. Named otherwise than python3, its own packages are used, and missing ones are installed beside them.',
  },
  BERTH_PYTHON_UNUSED_DAYS: {
    kind: 'integer',
    default: 30,
    min: 0,
    max: 3650,
    unit: 'days',
    doc: 'Python environments that no instance has asked for in so long, and none uses, are removed at the start and every hour; 0 keeps them.',
  },
  BERTH_PYTHON_MEGABYTES_MAX: {
    kind: 'integer',
    default: 0,
    min: 0,
    max: 10_000_000,
    unit: 'MiB',
    doc: 'What Python environments may take together. Beyond it those that none uses are removed, the least recently used first; 0 for any size.',
  },
  BERTH_S3_DOMAIN: {
    kind: 'text',
    default: 'localhost',
    pattern: /^[a-z0-9.-]+$/,
    expected: 'a lower-case domain name',
    doc: 'Requests to BUCKET.<this domain> are virtual-host style S3 requests.',
  },
} as const satisfies Record<string, OptionSpec>

/** A key of {@link OPTIONS}. */
export type OptionName = keyof typeof OPTIONS

/** The value of every option, after defaults, file, environment and flags. */
export type Config = {
  readonly [Name in OptionName]: (typeof OPTIONS)[Name] extends IntegerOption ? number : string
}

import { relative } from 'node:path'
import type { Style } from './terminal.ts'

/** What the printed commands must name. */
export interface Place {
  readonly endpointName: string
  readonly dataDir: string
  readonly imagePath: string
}

/** Commands for another terminal in the same folder; each can be pasted as it is. */
export function describeNextSteps(place: Place, style: Style): readonly string[] {
  const image = shellWord(fromHere(place.imagePath))
  const dataDir = shellWord(fromHere(place.dataDir))
  const { endpointName } = place
  return [
    style.bold('Go on in another terminal, in this folder:'),
    '',
    style.dim('# address and credentials for every AWS SDK and the AWS CLI'),
    `eval "$(npx berth env --data-dir ${dataDir})"`,
    '',
    style.dim('# AWS CLI'),
    'aws sagemaker list-endpoints',
    `aws sagemaker-runtime invoke-endpoint --endpoint-name ${endpointName} \\`,
    `  --content-type application/json --body fileb://${image} /dev/stdout`,
    '',
    // Not indented: a here-document ends, and Python begins, at the first column.
    style.dim('# boto3'),
    "python3 - <<'EOF'",
    'import boto3',
    `body = open(${pythonText(fromHere(place.imagePath))}, 'rb').read()`,
    "runtime = boto3.client('sagemaker-runtime')",
    `reply = runtime.invoke_endpoint(EndpointName='${endpointName}', ContentType='application/json', Body=body)`,
    "print(reply['Body'].read().decode())",
    'EOF',
    '',
    style.dim('# what Berth knows about it'),
    `npx berth describe ${endpointName}`,
  ]
}

function fromHere(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' ? '.' : short.length < path.length ? short : path
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function pythonText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

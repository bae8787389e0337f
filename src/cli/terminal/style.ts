/** Marks a text; returns it unchanged where colours are off. */
export type Paint = (text: string) => string

/** The few ways of marking text that Berth uses. */
export type Style = Readonly<Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', Paint>>

/** ANSI colours, or none. */
export function createStyle(enabled: boolean): Style {
  const paint = (open: number, close: number): Paint =>
    enabled ? (text) => `\u001B[${open}m${text}\u001B[${close}m` : (text) => text
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  }
}

/** The colour of an endpoint status or an instance state. */
export function paintStatus(style: Style, status: string): string {
  switch (status) {
    case 'InService':
    case 'ready':
      return style.green(status)
    case 'Failed':
    case 'OutOfService':
    case 'UpdateRollbackFailed':
    case 'unhealthy':
      return style.red(status)
    default:
      return style.yellow(status)
  }
}

import { FrameTransport } from '../../src/gateway/frames/frame-transport.ts'
import { createHttpTransport } from '../../src/gateway/http-transport.ts'
import { testInstanceTransport } from '../contracts/instance-transport.ts'

testInstanceTransport('HTTP', ({ socketPath }) =>
  createHttpTransport({ kind: 'socket', path: socketPath }, 256),
)

testInstanceTransport('frames', (container) => new FrameTransport([container.framesPath()]))

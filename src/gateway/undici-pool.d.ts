// The package's main file loads fetch, WebSocket and the rest of the browser API: 14 MB of resident memory that a
// gateway has no use for. The pool alone costs 2 MB.
declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici'
  export default Pool
}

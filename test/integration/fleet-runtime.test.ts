import { fleetRuntimeContract } from '../contracts/fleet-runtime.ts'
import { openProcessHarness } from './fleet-harness.ts'

fleetRuntimeContract('process runtime', () => openProcessHarness())

// The scalar functions of netc, four lanes at a time: what `asc` builds and the compiler copies
// into its modules.

export { cos } from './cos'
export { erf } from './erf'
export { exp } from './exp'
export { log } from './log'
export { pow } from './pow'
export { random } from './random'
export { sigmoid } from './sigmoid'
export { sin } from './sin'
export { tanh } from './tanh'
export { uniform } from './uniform'

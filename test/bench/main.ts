/**
 * `npm run bench`: netc and its rivals (bench.ts), with `--profile FILE.net` where the time of one model goes, with `--scale` how its
 * cost grows with the size of the network.
 */
const has = (option: string): boolean => process.argv.includes(option)
await import(has('--profile') ? './profile.ts' : has('--scale') ? './scale.ts' : './bench.ts')

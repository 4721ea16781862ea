/**
/**
 * `npm run bench`: netc and its rivals (bench.ts), with `--profile FILE.net` where the time of one model goes, with
 * `--tiles FILE.net` whether its register tiles are well chosen, with `--scale` how its cost grows with the size of the network.
 */
const other = ['profile', 'tiles', 'scale'].find((name) => process.argv.includes(`--${name}`))
await import(`./${other ?? 'bench'}.ts`)

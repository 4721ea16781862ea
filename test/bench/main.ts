/** `npm run bench`: netc and its rivals (bench.ts), or with `--profile FILE.net` where the time of one model goes. */
await import(process.argv.includes('--profile') ? './profile.ts' : './bench.ts')

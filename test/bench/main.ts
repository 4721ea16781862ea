/** `npm run bench`: the figures netc states (step.ts), or with `--profile FILE.net` where the time of one model goes. */
await import(process.argv.includes('--profile') ? './profile.ts' : './step.ts')

console.error('usage: netc COMMAND …')
process.exitCode = 2

#!/usr/bin/env node
import { processIo } from './cli-io.ts';
/** The program `thalweg`. Everything it does is in runCli; this file is the process around it. */
import { runCli } from './command-line.ts';

const code = await runCli(process.argv.slice(2), processIo());
// Output to files, pipes and terminals is synchronous on Linux: nothing is cut off. That it failed (a full disk) is told
// later, so that is waited for. A program that was stopped must end even if a dependency of it left a handle open.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(code);

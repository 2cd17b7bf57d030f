#!/usr/bin/env node
import { processIo } from './cli-io.ts';
/** The program `thalweg`. Everything it does is in runCli; this file is the process around it. */
import { runCli } from './command-line.ts';

const code = await runCli(process.argv.slice(2), processIo());
// Output to files, pipes and terminals is synchronous on Linux: nothing is cut off. A program that was stopped must
// end even if a dependency of it left a handle open.
process.exit(code);

/** Prints docs/reference.md: `npm run docs`. */
import { processIo } from './cli-io.ts';
import { buildProgram } from './command-line.ts';
import { configFields } from './config-fields.ts';
import { referencePage } from './reference-page.ts';
import { CliSession } from './session.ts';

const io = processIo();
const { coreConfigSchema } = await import('../steering/core-program.ts');
const { agentConfigSchema } = await import('../agent/agent-program.ts');
const program = await buildProgram(new CliSession(io), new Set(['core', 'agent']));
const settings = new Map([
  ['core', configFields(coreConfigSchema)],
  ['agent', configFields(agentConfigSchema)],
]);
io.out(referencePage(program, settings));

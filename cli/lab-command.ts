/** `thalweg lab ...`: meshes of network namespaces on this machine. */
import { type Command, Option } from 'commander';
import { ThalwegError } from '../protocol/error.ts';
import { EXIT } from './exit-code.ts';
import { labDownPage, labStatusPage, labUpPage } from './print/lab-page.ts';
import { runLine, runPage, scenariosPage } from './print/run-page.ts';
import type { CliSession } from './session.ts';

const SCENARIO = 'a scenario file, or the name of one that ships';

export function addLabCommand(program: Command, session: CliSession): void {
  const lab = program
    .command('lab')
    .description('meshes of network namespaces on this machine (needs root)')
    .enablePositionalOptions();
  addUp(lab, session);
  addRun(lab, session);
  addExec(lab, session);
  addStatus(lab, session);
  addDown(lab, session);
  addDemo(lab, session);
}

function addUp(lab: Command, session: CliSession): void {
  const up = lab
    .command('up')
    .description("build a scenario's hosts, links and mesh, and leave them up; its events are not run")
    .argument('<scenario>', `${SCENARIO} (\`thalweg lab run\` lists them)`)
    .option('--name <name>', "the lab's name (default: the scenario's)")
    .option('--fabric-only', 'hosts and links only: no core, no agents')
    .addOption(new Option('--driver <driver>', 'how links carry frames').choices(['plain', 'netem', 'wire']));
  up.action(
    async (scenario: string, options: { name?: string; fabricOnly?: true; driver?: 'plain' | 'netem' | 'wire' }) => {
      const global = session.read(up);
      const { scenarioFile } = await import('../netlab/scenario/shipped-scenarios.ts');
      const { labUp } = await import('../netlab/lab-commands.ts');
      const progress = ({ stage, done, total }: { stage: string; done: number; total: number }): void =>
        session.io.err(`${stage} ${done}/${total}\n`);
      const result = await labUp({
        ...options,
        file: scenarioFile(scenario),
        ...(global.json ? {} : { onProgress: progress }),
      });
      session.show(global, result, labUpPage);
    },
  );
}

function addRun(lab: Command, session: CliSession): void {
  const run = lab
    .command('run')
    .description(
      'run a scenario from start to end and print what was measured; exit code 1 when an expectation is missed',
    )
    .argument('[scenario]', `${SCENARIO}; without it those that ship are listed`)
    .option('--keep', 'leave the lab up afterwards');
  run.action(async (scenario: string | undefined, options: { keep?: true }) => {
    const global = session.read(run);
    const { listShipped, scenarioFile } = await import('../netlab/scenario/shipped-scenarios.ts');
    if (scenario === undefined) {
      session.show(global, await listShipped(), (value) => scenariosPage(value, session.io.size().columns));
      return;
    }
    const { labRun } = await import('../netlab/scenario/lab-run.ts');
    const result = await labRun({
      file: scenarioFile(scenario),
      json: global.json,
      keep: options.keep === true,
      onProgress: (progress) => {
        const line = global.json ? undefined : runLine(progress);
        if (line !== undefined) session.io.err(line);
      },
    });
    session.show(global, result, (value) => runPage(value, global.paint));
    session.exitCode = result.ok ? EXIT.ok : EXIT.failed;
  });
}

function addExec(lab: Command, session: CliSession): void {
  const exec = lab
    .command('exec')
    .description("run a program on a lab's host with this terminal; ends with the program's exit code")
    .argument('<host>', 'name of the host; core for the core')
    .argument('<program...>', 'program and arguments, after --')
    .option('--lab <name>', 'name of the lab, as `thalweg lab status` shows it (default: the only one that is up)')
    .passThroughOptions();
  exec.action(async (host: string, argv: string[], options: { lab?: string }) => {
    session.read(exec);
    if (argv[0] === '--lab') {
      throw new ThalwegError('invalid_argument', `--lab after the host ${host} would go to the program`, {
        nextStep: 'write it before the host: thalweg lab exec --lab NAME HOST -- PROGRAM',
      });
    }
    const { labExec } = await import('../netlab/lab-commands.ts');
    // commander leaves the -- that stands after the host where options are passed through
    const program = argv[0] === '--' ? argv.slice(1) : argv;
    const ended = await labExec({ host, argv: program, ...(options.lab === undefined ? {} : { name: options.lab }) });
    session.exitCode = ended.exitCode;
  });
}

function addStatus(lab: Command, session: CliSession): void {
  const status = lab.command('status').description('the labs on this machine').argument('[name]', 'only this lab');
  status.action(async (name: string | undefined) => {
    const global = session.read(status);
    const { labStatus } = await import('../netlab/lab-commands.ts');
    const labs = await labStatus(name === undefined ? {} : { name });
    session.show(global, labs, (value) => labStatusPage(value, session.io.nowMs()));
  });
}

function addDown(lab: Command, session: CliSession): void {
  const down = lab
    .command('down')
    .description('remove a lab, also what a crash left of it')
    .argument('[name]', 'name of the lab')
    .option('--all', 'every lab on this machine');
  down.action(async (name: string | undefined, options: { all?: true }) => {
    const global = session.read(down);
    if ((name === undefined) === (options.all === undefined)) {
      const what = name === undefined ? 'lab down needs a name or --all' : 'a name and --all at once';
      throw new ThalwegError('invalid_argument', what, { nextStep: 'see `thalweg lab status` for the names' });
    }
    const { labDown } = await import('../netlab/lab-commands.ts');
    const reports = await labDown(name === undefined ? { all: true } : { name });
    session.show(global, reports, labDownPage);
  });
}

function addDemo(lab: Command, session: CliSession): void {
  const demo = lab
    .command('demo')
    .description('the demonstration: detour, then clouds, with a live view')
    .option('--keep', 'stay with the last lab up, its view live and its API open, until Ctrl-C; then take it down');
  demo.action(async (options: { keep?: true }) => {
    const global = session.read(demo);
    const { demonstrate } = await import('../netlab/demonstration.ts');
    const { io } = session;
    const out = { write: io.out, live: io.live, colour: global.colour, size: io.size };
    session.exitCode = await demonstrate({ keep: options.keep === true, json: global.json, out });
  });
}

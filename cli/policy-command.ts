/** `thalweg policy apply|show|test|clear`. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ThalwegError } from '../protocol/error.ts';
import type {
  PolicyApply,
  PolicyChange,
  PolicyTestAnswer,
  PolicyTestQuestion,
  PolicyView,
} from '../protocol/policy-api.ts';
import { EXIT } from './exit-code.ts';
import { policyChangePage, policyPage, policyTestPage } from './print/policy-page.ts';
import type { CliSession } from './session.ts';

export function addPolicyCommand(program: Command, session: CliSession): void {
  const policy = program.command('policy').description('which nodes may open what towards which (docs/policy.md)');
  addApply(policy, session);
  addShow(policy, session);
  addTest(policy, session);
  const clear = policy
    .command('clear')
    .description('no policy any more: every node may open everything towards every other');
  clear.action(async () => {
    const global = session.read(clear);
    const change = await session.client(global).delete<PolicyChange>('/v1/policy');
    session.show(global, change, (value) =>
      value.removed.length === 0
        ? 'There was no policy.\n'
        : global.paint.warn('No policy any more: every node may open everything towards every other.\n'),
    );
  });
}

function addApply(policy: Command, session: CliSession): void {
  const apply = policy
    .command('apply')
    .description('put the policy of a file in force, whole or not at all; its tests must hold')
    .argument('<file>', "file with the policy's text; - for stdin")
    .option('--dry-run', 'only say what would change');
  apply.action(async (file: string, { dryRun }: { dryRun?: boolean }) => {
    const global = session.read(apply);
    const body: PolicyApply = { text: readPolicy(file), dryRun: dryRun === true };
    const change = await session.client(global).post<PolicyChange>('/v1/policy', body);
    session.show(global, change, (value) => policyChangePage(value, global.paint));
  });
}

function addShow(policy: Command, session: CliSession): void {
  const show = policy
    .command('show')
    .description('the policy in force, whom its rules name, and what was denied')
    .option('--text', 'only the text, as it was applied');
  show.action(async ({ text }: { text?: boolean }) => {
    const global = session.read(show);
    const view = await session.client(global).get<PolicyView>('/v1/policy');
    session.show(global, view, (value) =>
      text === true ? (value.text ?? '') : policyPage(value, session.io.nowMs(), global.paint),
    );
  });
}

function addTest(policy: Command, session: CliSession): void {
  const test = policy
    .command('test')
    .description('may FROM open SERVICE towards TO? exit code 0: yes, 1: no')
    .argument('[from]', 'node name, label=value, or any')
    .argument('[to]', 'node name, label=value, or any')
    .argument('[service]', 'tcp/5432, udp/53 or icmp')
    .option('--file <file>', 'ask a policy that is not in force; alone: only check its text and its tests');
  test.action(
    async (from: string | undefined, to: string | undefined, service: string | undefined, flags: { file?: string }) => {
      const global = session.read(test);
      const text = flags.file === undefined ? undefined : readPolicy(flags.file);
      if (from === undefined && text !== undefined) {
        const change = await session.client(global).post<PolicyChange>('/v1/policy', { text, dryRun: true });
        session.show(global, change, (value) => policyChangePage(value, global.paint));
        return;
      }
      if (from === undefined || to === undefined || service === undefined) {
        throw new ThalwegError('invalid_argument', 'policy test needs FROM, TO and SERVICE, or --file', {
          nextStep: 'write: thalweg policy test web-1 db-1 tcp/5432',
        });
      }
      const question: PolicyTestQuestion = { from, to, service, ...(text === undefined ? {} : { text }) };
      const answer = await session.client(global).post<PolicyTestAnswer>('/v1/policy/test', question);
      session.show(global, answer, (value) => policyTestPage(value, global.paint));
      if (!answer.allowed) session.exitCode = EXIT.failed;
    },
  );
}

function readPolicy(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new ThalwegError('not_found', `policy ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

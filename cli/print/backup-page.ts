/** What a backup holds and what a restore did, for people. */
import type { BackupReport } from '../../steering/store/backup.ts';
import type { RestoreReport } from '../../steering/store/restore.ts';

export function backupPage({ file, nodes, tokens }: BackupReport): string {
  return `${file}: ${nodes} nodes, ${tokens} tokens and the CA's key. Keep it as secret as the core's state.\n`;
}

export function restorePage(report: RestoreReport): string {
  const { stateDir, madeAtMs, nodes, removedSince, joinedSince, tokensRevoked, keysRevoked, merged } = report;
  const lines = [`${stateDir} holds ${nodes} nodes as of ${new Date(madeAtMs).toISOString()}.`];
  if (removedSince > 0) lines.push(`${removedSince} nodes were removed since and stay removed.`);
  if (joinedSince > 0) lines.push(`${joinedSince} nodes joined since: they have to join again.`);
  if (!merged) {
    lines.push(
      `There was no store to learn from what happened since: ${tokensRevoked} tokens and ${keysRevoked} API keys are revoked.`,
      'Remove again every node that was removed after the backup (`thalweg node remove`), before its address is used.',
    );
  }
  return `${lines.join('\n')}\n`;
}

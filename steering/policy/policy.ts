/** A policy as it is meant: who may open what towards whom. Everything that no rule allows is denied. Pure. */
import { formatProbe, formatService, type Service, type ServiceProbe } from '../../protocol/service.ts';
import { formatSelector, type Selector } from './selector.ts';

export interface PolicyRule {
  /** Line of the text, from 1. */
  readonly line: number;
  readonly from: Selector;
  readonly to: Selector;
  /** At least one. */
  readonly services: readonly Service[];
}

/** What must hold of the rules, whenever the policy is applied. */
export interface PolicyTest {
  readonly line: number;
  readonly from: Selector;
  readonly to: Selector;
  readonly probe: ServiceProbe;
  readonly allowed: boolean;
}

export interface Policy {
  readonly rules: readonly PolicyRule[];
  readonly tests: readonly PolicyTest[];
}

/** Where a text is wrong: line and column from 1, and what to do. */
export interface PolicyFault {
  readonly line: number;
  readonly column: number;
  readonly reason: string;
  readonly nextStep: string;
}

/** `allow app=web -> app=db tcp/5432`, whatever its text was. */
export function formatRule({ from, to, services }: Omit<PolicyRule, 'line'>): string {
  return `allow ${formatSelector(from)} -> ${formatSelector(to)} ${services.map(formatService).join(' ')}`;
}

export function formatTest({ from, to, probe, allowed }: Omit<PolicyTest, 'line'>): string {
  const verdict = allowed ? 'allowed' : 'denied';
  return `test ${formatSelector(from)} -> ${formatSelector(to)} ${formatProbe(probe)} ${verdict}`;
}

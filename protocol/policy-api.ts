/** What the HTTP API and `--json` say of the policy. Times are milliseconds since 1970. */

/**
 * `enforced`: the node's kernel has said so. `pending`: it was told and has not answered yet. `refused`: its kernel does not
 * take it. `too_old`: its agent knows no policies. `offline`: it enforces what it was last told.
 */
export type EnforcementState = 'enforced' | 'pending' | 'refused' | 'too_old' | 'offline';

/** The policy at one node; of a node, null where there is no policy. */
export interface NodePolicyView {
  readonly state: EnforcementState;
  /** By which the node lets others in. */
  readonly rules: number;
  /** Of what the node's kernel enforces; counted by node. */
  readonly generation: string;
  readonly error: string | null;
  /** What the node has dropped for the policy since its agent started, as last reported. */
  readonly deniedPackets: number;
  readonly deniedBytes: number;
}

export interface PolicySummary {
  /** False: every node may open everything towards every other. */
  readonly active: boolean;
  readonly rules: number;
  readonly appliedAtMs: number | null;
  /** Nodes by what they do about it; all 0 without a policy. */
  readonly enforcement: Readonly<Record<EnforcementState, number>>;
  readonly deniedPackets: number;
}

export interface PolicyView extends PolicySummary {
  /** As it was applied; null: none. */
  readonly text: string | null;
  /** Nodes that each rule names now, as senders and as receivers. */
  readonly ruleList: readonly {
    readonly line: number;
    readonly rule: string;
    readonly from: number;
    readonly to: number;
  }[];
  /** Online nodes that do not enforce it (`refused`, `too_old`); 100 at most. */
  readonly notEnforcing: readonly string[];
}

export interface PolicyApply {
  readonly text: string;
  /** Only say what would change. */
  readonly dryRun?: boolean;
}

export interface PolicyChange {
  readonly applied: boolean;
  /** Rules in canonical form. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Nodes that let in others than before; `nodes` names 100 of them. */
  readonly nodesChanged: number;
  readonly nodes: readonly string[];
  /** What may be a mistake: a rule that names no node, nodes that do not enforce policies. */
  readonly warnings: readonly string[];
  /** Tests that hold. */
  readonly tests: number;
}

export interface PolicyTestQuestion {
  /** Selectors, as in a policy's text. */
  readonly from: string;
  readonly to: string;
  /** `tcp/5432`, `udp/53` or `icmp`. */
  readonly service: string;
  /** Another policy than the one in force. */
  readonly text?: string;
}

export interface PolicyTestAnswer {
  /** For every pair of nodes that is asked about. */
  readonly allowed: boolean;
  /** False: there is no policy, everything is allowed. */
  readonly active: boolean;
  /** Pairs that the rules treat alike, as one: a pair that stands for them, and how many they are. 100 at most, denied ones first. */
  readonly verdicts: readonly {
    readonly from: string;
    readonly to: string;
    readonly pairs: number;
    readonly allowed: boolean;
    readonly rule: { readonly line: number; readonly text: string } | null;
  }[];
}

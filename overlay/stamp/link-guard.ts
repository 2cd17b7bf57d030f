/**
 * Quick judgement of a link that carries traffic or stands behind a route. Pure; all times are attentive milliseconds
 * (loop-lag.ts). Certainty costs packets only where there is doubt:
 *
 *            a reply is overdue,
 *            the peer's own probe is overdue,          k probes at short gaps,
 *            the peer says it misses ours              all unanswered in time
 *   trusted ---------------------------------> doubt ------------------------> lost (link-health.ts: down)
 *      ^------- a reply to a probe that ------'
 *               was sent since, or the
 *               peer's kernel answered
 *
 * A reply proves both directions at once, so one dead direction is a dead link. k follows from the loss that is usual
 * here: as many as random loss alone would swallow once in 100,000 doubts.
 *
 * A second judgement is slower: a link that goes on losing a good part of its packets is grey. It is Wald's sequential
 * test (1945) between 5 % and 25 % of round trips lost, so a few lost in a row decide little and many soon.
 */
import { SlidingMinimum } from './sliding-minimum.ts';

export interface GuardPace {
  /** Between the probes of a burst. */
  readonly burstGapMs: number;
  /** What a reply may take beyond the usual round trip: at least, and at most where round trips differ much. */
  readonly slackMinMs: number;
  readonly slackMaxMs: number;
  /**
   * What a reply came late beyond the usual, up to this, the last answers of a burst are allowed too: so a host that stalls learns
   * what its stalls take before one of them takes a link.
   */
  readonly latenessMaxMs: number;
}

export const NORMAL_GUARD: GuardPace = { burstGapMs: 10, slackMinMs: 15, slackMaxMs: 500, latenessMaxMs: 150 };
/** Where a link must be given up within 100 ms, what is ordinary lateness of a busy machine costs some extra probes. */
export const FAST_GUARD: GuardPace = { burstGapMs: 5, slackMinMs: 10, slackMaxMs: 200, latenessMaxMs: 0 };

/** Share of doubts in which random loss may look like a dead link, and the loss below which no link is believed to be. */
const WRONG_VERDICTS = 1e-5;
const LOSS_FLOOR = 0.02;
const BURST_MIN = 3;
const BURST_MAX = 12;
/** Weight of one probe in the usual loss: about 30 probes are remembered. */
const LOSS_SMOOTHING = 1 / 32;
/** RFC 6298, section 2: smoothing of a round trip and of its deviation, and how many deviations are usual. */
const RTT_SMOOTHING = 1 / 8;
const DEVIATION_SMOOTHING = 1 / 4;
const DEVIATIONS = 4;
/** Before the first reply nobody knows: the path may go by satellite. */
const FIRST_RTT_MS = 1000;
/** Probes under way that are remembered: more than 100 ms of round trip at the shortest gap needs. */
const UNDER_WAY_MAX = 64;

/** Wald's log-likelihood steps for 25 % against 5 %, the bound to call a link grey (one in 1,000), and to take it back. */
const LOST_STEP = Math.log(0.25 / 0.05);
const KEPT_STEP = Math.log(0.75 / 0.95);
const GREY_ABOVE = Math.log(1000);
/** 30 round trips without a loss after the last one that counted. */
const CLEAR_BELOW = 0;
const SCORE_MAX = GREY_ABOVE - 1e-9;
/** One is lost: look closer, at `SUSPECT_INTERVAL_MS`, for five good ones or until it is clear what this link is. */
const SUSPECT_ABOVE = 0.5;
export const SUSPECT_INTERVAL_MS = 50;

/** How long a doubt about all links of a node at once lasts before they are given up, and the pause between its bursts. */
const PATIENCE_MS = 500;
const PATIENT_PAUSE_MS = 50;

/**
 * Round trips so far above the least of the last minutes (2.5 to 5), and half of that as well, wait in a queue. A queue that is full drops
 * what comes, several in a row: that is load, and would only go to other paths. So such a link is asked for PATIENCE_MS before it is
 * given up, and a loss counts a fifth towards grey: two of five round trips have to be lost, not one of eight.
 */
const QUEUE_MIN_MS = 20;
const QUEUE_SHARE = 1 / 2;
const FLOOR_BUCKETS = 2;
const FLOOR_BUCKET_MS = 150_000;
const QUEUED_LOSS_SHARE = 1 / 5;

/** A verdict that proves wrong doubles what a late reply is allowed, and a minute without one takes half of that back. */
const CAUTION_STEP = 2;
const CAUTION_MAX = 16;
const CAUTION_HALVES_MS = 60_000;

/** Half of how late a reply has been is forgotten in this time. */
const LATENESS_HALVES_MS = 60_000;

/** What the peer said in its own probe; see link-word.ts. */
export interface PeerWord {
  /** The peer misses our packets and is asking. */
  readonly doubts: boolean;
  /** Its next probe comes within this time; 0: it does not say. */
  readonly nextWithinMs: number;
}

export interface GuardStep {
  /** Send a probe now. */
  readonly probe: boolean;
  /** Ask the peer's kernel, which answers also while the peer's prober is stuck. */
  readonly echo: boolean;
  /** The link is lost. Said once. */
  readonly lost: boolean;
}

const NOTHING: GuardStep = { probe: false, echo: false, lost: false };

export class LinkGuard {
  #pace: GuardPace;
  /** When the probes that are not answered were sent, oldest first. */
  readonly #underWay: number[] = [];
  #rttMs: number | null = null;
  #lastRttMs = 0;
  #deviationMs = 0;
  #loss = 0;
  #greyScore = 0;
  #grey = false;
  #peerDueMs = Number.POSITIVE_INFINITY;
  /** A reply to a probe sent at or after this ends the doubt. Null: there is none. */
  #doubtedFromMs: number | null = null;
  #burstSent = 0;
  #burstNextMs = 0;
  #answersUntilMs = 0;
  #quietUntilMs = 0;
  /** Probes sent from the beginning of the last doubt to its verdict: a reply to one proves the verdict wrong. */
  #verdictFromMs = Number.POSITIVE_INFINITY;
  #verdictAtMs = Number.NEGATIVE_INFINITY;
  /** A host that stalls, this one or the peer's, stalls again: what it cost to be quick here. */
  #caution = 1;
  #cautionAtMs = 0;
  #latenessMs = 0;
  #latenessAtMs = 0;
  readonly #least = new SlidingMinimum(FLOOR_BUCKETS, FLOOR_BUCKET_MS);
  /** The least round trip of the last minutes, when the last reply came. */
  #floorMs = Number.POSITIVE_INFINITY;

  constructor(pace: GuardPace = NORMAL_GUARD) {
    this.#pace = pace;
  }

  set pace(pace: GuardPace) {
    this.#pace = pace;
  }

  get doubts(): boolean {
    return this.#doubtedFromMs !== null;
  }

  /** It loses too much to be used where there is another way. */
  get grey(): boolean {
    return this.#grey;
  }

  /** Worth probing at SUSPECT_INTERVAL_MS until it is known to be good or grey. */
  get suspect(): boolean {
    return !this.#grey && this.#greyScore > SUSPECT_ABOVE;
  }

  /** How many probes a burst has at most. */
  get burstLength(): number {
    const probes = Math.ceil(Math.log(WRONG_VERDICTS) / Math.log(Math.max(this.#loss, LOSS_FLOOR)));
    return Math.min(Math.max(probes, BURST_MIN), BURST_MAX);
  }

  /** The link is trusted from now on, or no longer looked at: what was under way tells nothing. */
  restart(): void {
    this.#underWay.length = 0;
    this.#peerDueMs = Number.POSITIVE_INFINITY;
    this.#endDoubt();
  }

  /** A probe left at `nowMs`. */
  probeSent(nowMs: number): void {
    if (nowMs >= this.#cautionAtMs + CAUTION_HALVES_MS) {
      this.#caution = Math.max(1, this.#caution / CAUTION_STEP);
      this.#cautionAtMs = nowMs;
    }
    if (this.#underWay.length === UNDER_WAY_MAX) this.#underWay.shift();
    this.#underWay.push(nowMs);
  }

  /**
   * The reply to the probe sent at `sentAtMs`, at `nowMs`. True when it was given up for lost and the link with it: the path
   * has become slow all of a sudden, not dead.
   */
  replied(sentAtMs: number, nowMs: number): boolean {
    const at = this.#underWay.indexOf(sentAtMs);
    if (at >= 0) {
      this.#noteLateness(nowMs - sentAtMs, nowMs);
      for (let i = 0; i < at; i++) this.#noteOutcome(true);
      this.#underWay.splice(0, at + 1);
      this.#noteOutcome(false);
    } else {
      // It overtook, or came after one that was sent later: what was counted as lost was not.
      this.#takeBackLoss();
    }
    this.#noteRtt(nowMs - sentAtMs, nowMs);
    if (this.#doubtedFromMs !== null && sentAtMs >= this.#doubtedFromMs) this.#endDoubt();
    const wronged = sentAtMs >= this.#verdictFromMs && sentAtMs <= this.#verdictAtMs;
    if (wronged) {
      this.#verdictFromMs = Number.POSITIVE_INFINITY;
      this.#caution = Math.min(this.#caution * CAUTION_STEP, CAUTION_MAX);
      this.#cautionAtMs = nowMs;
    }
    return wronged;
  }

  /** A probe of the peer's own has come. */
  heard(word: PeerWord, nowMs: number): void {
    this.#peerDueMs = word.nextWithinMs > 0 ? nowMs + word.nextWithinMs : Number.POSITIVE_INFINITY;
    if (word.doubts && nowMs >= this.#quietUntilMs) this.#doubt(nowMs, nowMs);
  }

  /** The peer's kernel answered what it was asked at `askedAtMs`: the path works, whatever the peer's prober does. */
  echoed(askedAtMs: number): void {
    if (this.#doubtedFromMs === null || askedAtMs < this.#doubtedFromMs) return;
    this.#underWay.length = 0;
    this.#peerDueMs = Number.POSITIVE_INFINITY;
    this.#endDoubt();
  }

  /**
   * What to do at `nowMs`. A probe that is asked for here is noted with `probeSent` by the caller. `patient`: no link of this
   * node is beyond doubt, so it may be this node that is late, and there is no other way to repair with: be sure.
   */
  step(nowMs: number, patient = false): GuardStep {
    if (this.#doubtedFromMs === null) {
      const [oldest] = this.#underWay;
      if (oldest !== undefined && nowMs >= this.#replyDueMs(oldest)) this.#doubt(oldest, nowMs);
      else if (nowMs >= this.#peerDueMs + this.#slackMs) this.#doubt(nowMs, nowMs);
      else return NOTHING;
    }
    const length = this.burstLength;
    if (this.#burstSent < length) {
      if (nowMs < this.#burstNextMs) return NOTHING;
      this.#burstSent++;
      this.#burstNextMs = nowMs + this.#pace.burstGapMs;
      this.#answersUntilMs = Math.max(this.#replyDueMs(nowMs), nowMs + (this.#rttMs ?? 0) + this.#latenessMs);
      // The first probe settles most doubts. The kernel is asked twice, since one question may be lost.
      return { probe: true, echo: this.#burstSent === 2 || this.#burstSent === length, lost: false };
    }
    if (nowMs < this.#answersUntilMs) return NOTHING;
    if ((patient || this.#queues) && nowMs < (this.#doubtedFromMs ?? nowMs) + PATIENCE_MS) {
      this.#burstSent = 0;
      this.#burstNextMs = nowMs + PATIENT_PAUSE_MS;
      return NOTHING;
    }
    this.#verdictFromMs = this.#doubtedFromMs ?? nowMs;
    this.#verdictAtMs = nowMs;
    this.restart();
    return { probe: false, echo: false, lost: true };
  }

  /** When `step` may have something to do next. */
  get dueMs(): number {
    if (this.#doubtedFromMs !== null) {
      return this.#burstSent < this.burstLength ? this.#burstNextMs : this.#answersUntilMs;
    }
    const [oldest] = this.#underWay;
    const replyMs = oldest === undefined ? Number.POSITIVE_INFINITY : this.#replyDueMs(oldest);
    return Math.min(replyMs, this.#peerDueMs + this.#slackMs);
  }

  /** What is sent here waits behind other packets: by the usual round trip, or already by the last, since a queue fills at once. */
  get #queues(): boolean {
    const waitMs = Math.max(this.#rttMs ?? 0, this.#lastRttMs) - this.#floorMs;
    return waitMs >= Math.max(QUEUE_MIN_MS, this.#floorMs * QUEUE_SHARE);
  }

  get #slackMs(): number {
    const { slackMinMs, slackMaxMs } = this.#pace;
    return Math.min(Math.max(DEVIATIONS * this.#deviationMs, slackMinMs) * this.#caution, slackMaxMs);
  }

  #replyDueMs(sentAtMs: number): number {
    return sentAtMs + (this.#rttMs ?? FIRST_RTT_MS) + this.#slackMs;
  }

  #doubt(fromMs: number, nowMs: number): void {
    if (this.#doubtedFromMs !== null) return;
    this.#doubtedFromMs = fromMs;
    this.#burstSent = 0;
    this.#burstNextMs = nowMs;
    // A peer in doubt says so in each probe of its burst: one burst of ours answers them all.
    this.#quietUntilMs = nowMs + 2 * BURST_MAX * this.#pace.burstGapMs;
  }

  #endDoubt(): void {
    this.#doubtedFromMs = null;
  }

  #noteLateness(rttMs: number, nowMs: number): void {
    const late = this.#rttMs === null ? 0 : Math.min(rttMs - this.#rttMs, this.#pace.latenessMaxMs);
    const left = this.#latenessMs * 2 ** ((this.#latenessAtMs - nowMs) / LATENESS_HALVES_MS);
    this.#latenessMs = Math.max(late, left);
    this.#latenessAtMs = nowMs;
  }

  #noteRtt(rttMs: number, nowMs: number): void {
    this.#least.add(rttMs, nowMs);
    this.#floorMs = this.#least.at(nowMs);
    this.#lastRttMs = rttMs;
    if (this.#rttMs === null) {
      this.#rttMs = rttMs;
      this.#deviationMs = rttMs / 2;
      return;
    }
    this.#deviationMs += (Math.abs(rttMs - this.#rttMs) - this.#deviationMs) * DEVIATION_SMOOTHING;
    this.#rttMs += (rttMs - this.#rttMs) * RTT_SMOOTHING;
  }

  #noteOutcome(lost: boolean): void {
    this.#loss += ((lost ? 1 : 0) - this.#loss) * LOSS_SMOOTHING;
    const lostStep = this.#queues ? LOST_STEP * QUEUED_LOSS_SHARE : LOST_STEP;
    const score = this.#greyScore + (lost ? lostStep : KEPT_STEP);
    if (score >= GREY_ABOVE) this.#grey = true;
    else if (score <= CLEAR_BELOW) this.#grey = false;
    this.#greyScore = Math.min(Math.max(score, CLEAR_BELOW), SCORE_MAX);
  }

  #takeBackLoss(): void {
    this.#loss = Math.max(0, this.#loss - LOSS_SMOOTHING);
    this.#greyScore = Math.max(CLEAR_BELOW, this.#greyScore - LOST_STEP);
  }
}

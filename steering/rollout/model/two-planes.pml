/*
 * The rollout on two planes (steering/rollout/rollout.ts), its tables (node-table.ts), an agent (agent/table-keeper.ts) and the
 * core's journal (state-journal.ts), for spin. One destination D, two transit nodes, one source:
 *
 *            .--> X --.          way 0:  S - X - Y - D
 *        S --          --> D     way 1:  S - Y - X - D
 *            '--> Y --'          rows of both ways together: X and Y send to each other for ever
 *
 * A packet must meet the rows of its source's way at every hop. Sessions break at any time and lose what is on its way, messages
 * come late or twice, agents and the core are killed between any two steps and come back with what is on their disks.
 * The drain time is the one assumption about time: it is not over while a packet is on the plane that is drained.
 * docs/generations.md says what is checked and how far. Each MUTANT_ breaks one rule, and must be refuted.
 */
#define X 0
#define Y 1
#define S 2
#define NODES 3

/* Faults and moves of one run; every order of them is looked at. */
#ifndef MOVES
#define MOVES 2
#endif
#ifndef BREAKS
#define BREAKS 1
#endif
#ifndef COPIES
#define COPIES 1
#endif
#ifndef CORE_KILLS
#define CORE_KILLS 1
#endif
#ifndef AGENT_KILLS
#define AGENT_KILLS 1
#endif

/* A table is one byte. Of a transit node: the ways of its rows on plane 0 and 1, or NONE. Of the source: plane, way. */
#define NONE 2
#define TABLE(first, second) (3 * (first) + (second))
#define ROW(table, plane) ((plane) == 0 -> (table) / 3 : (table) % 3)
#define WITH(table, plane, way) ((plane) == 0 -> TABLE(way, (table) % 3) : TABLE((table) / 3, way))

mtype:phase = { idle, preparing, switching, draining }
mtype:word = { tableAck, tableRequest }

chan down[NODES] = [1] of { byte, byte, byte };     /* generation, base (0: a full table), table */
chan up[NODES] = [1] of { mtype:word, byte };       /* generation */

/* What kernels forward by: all that packets see. */
byte kernel[NODES];

/* The core. NodeTable: known, held, on its way, wanted. */
mtype:phase phase = idle;
bit plane = 0, way = 0, toWay = 0;
bit connected[NODES], known[NODES], busy[NODES];
byte held[NODES], heldGeneration[NODES], flying[NODES], flyingGeneration[NODES], wanted[NODES];
/* By node here, so that equal situations look equal; only whether two of one node are the same matters. */
byte generation[NODES];
/* It no longer waits for the source, which may use the plane before. */
bit givenUp = 0;

/* The core's disk: a state, brought forward by what is written before each step's deltas go out. */
bit d_plane = 0, d_way = 0, d_known[NODES], d_busy[NODES];
byte d_held[NODES], d_heldGeneration[NODES], d_flying[NODES], d_flyingGeneration[NODES];

/* The one packet that is followed; it may set out at any time. */
bit onItsWay = 0, itsPlane, itsWay, itsExempt;
byte isAt, hops = 0, packets = 1;

byte moves = MOVES, breaks = BREAKS, copies = COPIES, coreKills = CORE_KILLS, agentKills = AGENT_KILLS;

#ifdef MUTANT_NO_ACKNOWLEDGEMENT
#define PREPARED true
#else
#define PREPARED (HOLDS(X, 1 - plane) && HOLDS(Y, 1 - plane))
#endif
#ifdef MUTANT_ACKNOWLEDGED_BEFORE_REMEMBERED
#define REMEMBERED true
#else
#define REMEMBERED (diskGeneration == applied)
#endif
#ifdef MUTANT_WORD_OF_A_BUSY_AGENT
#define AT_WORK false
#else
#define AT_WORK (applied != tableGeneration || diskGeneration != applied)
#endif

#define CERTAIN(n, p) (known[n] && (!busy[n] || ROW(flying[n], p) == ROW(held[n], p)))
#define HOLDS(n, p) (CERTAIN(n, p) && ROW(held[n], p) == ROW(wanted[n], p) && ROW(wanted[n], p) != NONE)
#define HOLDS_ALL(n) (known[n] && !busy[n] && held[n] == wanted[n])

inline lose(n) {
  do
  :: down[n]?_, _, _
  :: up[n]?_, _
  :: empty(down[n]) && empty(up[n]) -> break
  od
}

inline writeAhead() {
  d_plane = plane; d_way = way;
  for (i : 0 .. NODES - 1) {
    d_known[i] = known[i]; d_busy[i] = busy[i];
    d_held[i] = held[i]; d_heldGeneration[i] = heldGeneration[i];
    d_flying[i] = flying[i]; d_flyingGeneration[i] = flyingGeneration[i];
  }
}

/* The plane that is not in use gets the rows of the one that is. */
inline sync() {
  wanted[X] = WITH(wanted[X], 1 - plane, way);
  wanted[Y] = WITH(wanted[Y], 1 - plane, way);
}

inline nodeConnected(n, g) {
  if
  :: busy[n] && g == flyingGeneration[n] -> known[n] = 1; held[n] = flying[n]; heldGeneration[n] = g
  :: !(busy[n] && g == flyingGeneration[n]) && known[n] && g == heldGeneration[n]
  :: else -> known[n] = 0
  fi;
  busy[n] = 0; connected[n] = 1
}

/* A successor starts from the disk; it waits for nodes to come back, and goes on without those that do not. */
inline coreKilled() {
  plane = d_plane; way = d_way; phase = switching; givenUp = 1;
  for (i : 0 .. NODES - 1) {
    lose(i); connected[i] = 0;
    known[i] = d_known[i]; busy[i] = d_busy[i];
    held[i] = d_held[i]; heldGeneration[i] = d_heldGeneration[i];
    flying[i] = d_flying[i]; flyingGeneration[i] = d_flyingGeneration[i];
  }
  for (i : X .. Y) {
    wanted[i] = WITH(wanted[i], plane, way);
    if
    :: CERTAIN(i, 1 - plane) -> wanted[i] = WITH(wanted[i], 1 - plane, ROW(held[i], 1 - plane))
    :: else -> wanted[i] = WITH(wanted[i], 1 - plane, NONE)
    fi
  }
  wanted[S] = TABLE(plane, way)
}

proctype Core() {
  byte i, g;
  mtype:word what;
end:
  do
  /* idle -> preparing: the next hops of another way go to the transit nodes, on the plane that is not in use */
  :: atomic { phase == idle && moves > 0 ->
       moves--; toWay = 1 - way;
       wanted[X] = WITH(wanted[X], 1 - plane, toWay);
       wanted[Y] = WITH(wanted[Y], 1 - plane, toWay);
       phase = preparing; i = 0 }
  /* preparing -> switching: the transit nodes hold their rows, so the sources are told; this is the commit */
  :: atomic { phase == preparing && PREPARED ->
       plane = 1 - plane; way = toWay; wanted[S] = TABLE(plane, way); phase = switching;
#ifdef MUTANT_RETIRE_BEFORE_SWITCH
       sync();
#endif
       i = 0 }
  /* preparing -> idle: a transit node does not answer in time, so what is decided is another thing now */
  :: atomic { phase == preparing -> sync(); phase = idle; i = 0 }
  /* switching -> draining */
  :: atomic { phase == switching && HOLDS_ALL(S) -> givenUp = 0; phase = draining }
  :: atomic { phase == switching && !HOLDS_ALL(S) && !(connected[S] && !busy[S]) -> givenUp = 1; phase = draining }
  /* draining -> idle: packets of the plane before have arrived */
  :: atomic { phase == draining && !(onItsWay && itsPlane != plane && !itsExempt) -> sync(); phase = idle; i = 0 }

  :: atomic { givenUp && HOLDS_ALL(S) && phase == idle -> givenUp = 0 }

  /* a delta for each node: one at a time on its way, and on the disk before it goes out */
  :: atomic { (connected[X] && !busy[X] && (!known[X] || held[X] != wanted[X])) -> i = X; goto send }
  :: atomic { (connected[Y] && !busy[Y] && (!known[Y] || held[Y] != wanted[Y])) -> i = Y; goto send }
  :: atomic { (connected[S] && !busy[S] && (!known[S] || held[S] != wanted[S])) -> i = S;
send:  generation[i]++;
       g = (known[i] -> heldGeneration[i] : 0);
       busy[i] = 1; flying[i] = wanted[i]; flyingGeneration[i] = generation[i];
       down[i]!generation[i], g, flying[i];
#ifndef MUTANT_NO_WRITE_AHEAD
       writeAhead();
#endif
       i = 0; g = 0 }

  :: atomic { nempty(up[X]) -> i = X; goto hear }
  :: atomic { nempty(up[Y]) -> i = Y; goto hear }
  :: atomic { nempty(up[S]) -> i = S;
hear:  if
       :: up[i]?what, g
       :: copies > 0 -> copies--; up[i]?<what, g>
       fi;
       if
       :: what == tableAck && busy[i] && g == flyingGeneration[i] ->
            busy[i] = 0; known[i] = 1; held[i] = flying[i]; heldGeneration[i] = g
       :: what == tableRequest -> busy[i] = 0; known[i] = 0
       :: else
       fi;
       i = 0; g = 0; what = 0 }

  /* some time or other the whole state is saved, with all answers by then */
  :: atomic { coreKills > 0 && phase == idle && HOLDS_ALL(X) && HOLDS_ALL(Y) && HOLDS_ALL(S) &&
       (d_plane != plane || d_busy[X] || d_busy[Y] || d_busy[S]) -> writeAhead(); i = 0 }
  :: atomic { coreKills > 0 -> coreKills--; coreKilled(); i = 0 }
  od
}

proctype Agent(byte n) {
  /* applied: what the kernel took; table: the newest, perhaps not applied yet; disk: what is remembered */
  byte applied = 1, table, tableGeneration = 1, disk, diskGeneration = 1, g, base, t;
  bit owed = 0;
  table = kernel[n]; disk = kernel[n];
end:
  do
  :: atomic { nempty(down[n]) ->
       if
       :: down[n]?g, base, t
       :: copies > 0 -> copies--; down[n]?<g, base, t>
       fi;
       if
       :: base == 0 || base == tableGeneration -> table = t; tableGeneration = g; owed = 1
       :: else -> up[n]!tableRequest, 0
       fi;
       g = 0; base = 0; t = 0 }
  :: atomic { applied != tableGeneration -> kernel[n] = table; applied = tableGeneration;
#if AGENT_KILLS == 0
       disk = table; diskGeneration = applied;       /* nobody reads it: one step less to interleave */
#endif
       g = 0 }
  :: atomic { applied == tableGeneration && diskGeneration != applied -> disk = table; diskGeneration = applied }
  :: atomic { owed && connected[n] && applied == tableGeneration && REMEMBERED && nfull(up[n]) -> up[n]!tableAck, applied; owed = 0 }

  /* a session breaks, with what is on its way; or the agent's host is switched off and on: its kernel gets what is remembered */
  :: atomic { breaks > 0 && connected[n] -> breaks--; connected[n] = 0; lose(n) }
  :: atomic { agentKills > 0 -> agentKills--; connected[n] = 0; lose(n); owed = 0;
       kernel[n] = disk; table = disk; tableGeneration = diskGeneration; applied = diskGeneration }
  /* a new session; an agent that is still at work says that nobody knows what its kernel holds */
  :: atomic { !connected[n] -> owed = 0;
       if
       :: AT_WORK -> g = 0
       :: else -> g = applied
       fi;
       nodeConnected(n, g); g = 0 }
  od
}

proctype Packet() {
  byte row;
end:
  do
  :: atomic { !onItsWay && packets > 0 ->
       packets--; onItsWay = 1; itsExempt = givenUp;
       itsPlane = kernel[S] / 3; itsWay = kernel[S] % 3;
       isAt = (itsWay == 0 -> X : Y) }
  :: atomic { onItsWay ->
       row = ROW(kernel[isAt], itsPlane); hops++;
       assert(itsExempt || row == itsWay);
       assert(itsExempt || hops <= 2);
       if
       :: row == NONE || hops > 2 -> onItsWay = 0
       :: row == 0 && isAt == X && hops <= 2 -> isAt = Y
       :: row == 1 && isAt == Y && hops <= 2 -> isAt = X
       :: else -> onItsWay = 0
       fi;
       row = 0 }
  od
}

/* Nothing can happen any more: then the last move is done, and everybody holds what is wanted. */
proctype AtRest() {
  timeout ->
  assert(phase == idle && moves == 0);
  assert(HOLDS_ALL(X) && HOLDS_ALL(Y) && HOLDS_ALL(S));
  assert(kernel[X] == wanted[X] && kernel[Y] == wanted[Y] && kernel[S] == wanted[S]);
  assert(ROW(kernel[X], plane) == way && ROW(kernel[X], 1 - plane) == way)
}

init {
  byte i;
  atomic {
    for (i : 0 .. NODES - 1) {
      kernel[i] = TABLE(0, 0); held[i] = TABLE(0, 0); wanted[i] = TABLE(0, 0);
      heldGeneration[i] = 1; generation[i] = 1; known[i] = 1; connected[i] = 1
    }
    writeAhead();
    run Core(); run Agent(X); run Agent(Y); run Agent(S); run Packet(); run AtRest()
  }
}

/*
 * The protocol of the machines that share a user session in a store: lock, adopt, announce, request,
 * save. README.md says what is modelled.
 *
 * Each machine has one planetkey process. Numbers are token responses, as in protocol.pml:
 * token 1 is in the store at the start. A step in the store is one script, so it is atomic.
 */

#ifndef MACHINES
#define MACHINES 2
#endif
#ifndef TOKENS
#define TOKENS 4      /* tokens in all; then the server only answers 503 */
#endif
#ifndef EXPIRIES
#define EXPIRIES 1    /* every access token issued so far expires */
#endif
#ifndef EARLY
#define EARLY 0       /* the lock ends while its holder works on: it is stopped, or cut off */
#endif
#ifndef CRASHES
#define CRASHES 0     /* a process ends and starts again with no memory */
#endif
#ifndef LAPSES
#define LAPSES 0      /* an intent lapses: its sender has ended, or is stopped for longer */
#endif
#ifndef FAILOVERS
#define FAILOVERS 0   /* the replica is promoted, with what it has */
#endif
#ifndef EMPTIED
#define EMPTIED 0     /* the store loses everything */
#endif
#ifndef OUTAGES
#define OUTAGES 0     /* a step in the store fails */
#endif

/* Reasons why a refresh token may be sent again, or its session be lost. */
#define BY_LAPSE     1
#define BY_FAILOVER  2
#define BY_LOSS      4  /* the response is lost, and its sender knows it */
#ifndef REASONS
#define REASONS 7
#endif

/* NO_INTENT, NO_COMPARE, OWNER_SAVES, FENCING: broken on purpose. UNCORRECTED: as it was before
 * this model found it. LOSSES: responses can be lost. */

#define NONE 0
#define FREE 9
#define REFUSED 96
#define LOST 97
#define TURNED_AWAY 95

mtype = { reuse, sent_twice, sent_unlocked, session_lost, token_dropped };

inline claim(name, holds) {
    if
    :: holds
    :: else -> printf("violated: %e\n", name); assert(false)
    fi
}

#define who (me + 1)
#define bit(t) (1 << t)
#define is_token(t) (t >= 1 && t <= TOKENS)

/* The store. */
byte s_token = 1;
byte s_seq = 1;
byte s_intent;          /* the refresh token that is being sent ... */
byte s_by;              /* ... and by which machine */
byte s_dead;            /* refused refresh tokens */
byte lock = FREE;
byte fence;             /* counts the locks, for FENCING */
/* Its replica, which is some writes behind. */
byte r_token = 1;
byte r_seq = 1;
byte r_intent;
byte r_by;
byte r_dead;

/* The server: strict rotation, with detection of reuse (RFC 9700 4.14.2). */
byte issued = 1;
byte live = 1;
byte over = 1;          /* access tokens up to this one have expired */

byte sent;              /* refresh tokens that the server may have processed */
byte why[TOKENS + 1];   /* reasons to send a refresh token again */
byte lost_because;      /* reasons why the session may end */
bool waiting[MACHINES];

byte expiries = EXPIRIES;
byte early = EARLY;
byte crashes = CRASHES;
byte lapses = LAPSES;
byte failovers = FAILOVERS;
byte emptied = EMPTIED;
byte outages = OUTAGES;

inline exchange(t, answer) {
    if
    :: live == NONE -> answer = REFUSED
    :: live == t && issued == TOKENS -> answer = TURNED_AWAY
    :: live != NONE && live != t ->
        claim(reuse, why[t] & REASONS);
        printf("      server: token %d was replaced before: it revokes the session\n", t);
        claim(session_lost, lost_because & REASONS);
        live = NONE;
        answer = REFUSED
    :: live == t && issued < TOKENS ->
        issued++;
        live = issued;
        answer = issued;
        printf("      server: issues %d for %d\n", answer, t)
    fi
}

#define may_fail atomic { outages > 0 -> outages--; printf("      store: fails once\n"); goto failed }
#define may_crash atomic { crashes > 0 -> crashes--; printf("  planetkey %d: ends\n", who); goto crashed }

#ifdef NO_INTENT
#define is_pending(me) false
#else
#define is_pending(me) (s_intent != NONE && s_by != me)
#endif

#ifdef UNCORRECTED
#define changed(t) (s_token != NONE && s_token != t)
#else
#define changed(t) (s_token != NONE && s_token != t || (s_dead & bit(t)))
#endif

proctype machine(byte me) {
    byte mine, seq, answer, my_fence;
end_again:
    /* A call needs a token. */
    atomic { (s_token <= over && issued <= TOKENS) || (s_token == NONE) -> waiting[me] = true }
lock_it:
    if
    :: atomic { lock == FREE && !is_pending(me) ->
           lock = me; fence++; my_fence = fence;
           mine = s_token; seq = s_seq;
           printf("  planetkey %d: locks, and reads %d\n", who, mine) }
    :: atomic { lock != FREE || is_pending(me) ->
           printf("  planetkey %d: its deadline passes\n", who); goto done }
    :: may_fail
    fi;
    if
    :: may_crash
    :: true
    fi;
    if
    :: atomic { mine == NONE -> printf("  planetkey %d: login required\n", who); goto release }
    :: atomic { is_token(mine) && (mine > over) -> printf("  planetkey %d: adopts %d\n", who, mine); goto release }
    :: atomic { is_token(mine) && (s_dead & bit(mine)) -> printf("  planetkey %d: revoked\n", who); goto release }
    :: else
    fi;
    /* Announce. */
    if
    :: may_fail
    :: atomic { lock != FREE && lock != me -> printf("  planetkey %d: lost the lock\n", who); goto done }
    :: atomic { (lock == FREE || lock == me) && is_pending(me) -> goto done }
    :: atomic { (lock == FREE || lock == me) && !is_pending(me) && changed(mine) ->
           printf("  planetkey %d: another session is there\n", who); goto release }
#ifndef UNCORRECTED
    :: atomic { lock == FREE && s_token == NONE ->
           printf("  planetkey %d: the store is empty\n", who); goto done }
#endif
#ifdef NO_INTENT
    :: true
#else
    :: atomic { (lock == FREE || lock == me) && !is_pending(me) && !changed(mine) &&
#ifndef UNCORRECTED
           (lock == me || s_token != NONE)
#else
           true
#endif
           ->
           lock = me; s_intent = mine; s_by = me;
           printf("  planetkey %d: announces %d\n", who, mine) }
#endif
    fi;
    if
    :: may_crash
    :: true
    fi;
    /* Send. */
    atomic {
        claim(sent_twice, !(sent & bit(mine)) || (why[mine] & REASONS));
        sent = sent | bit(mine);
        exchange(mine, answer);
        printf("  planetkey %d: has sent %d\n", who, mine)
    };
#ifdef LOSSES
    if
    :: atomic { is_token(answer) -> answer = LOST;
           why[mine] = why[mine] | BY_LOSS; lost_because = lost_because | BY_LOSS;
           printf("  planetkey %d: the response is lost\n", who) }
    :: true
    fi;
#endif
    if
    :: may_crash
    :: true
    fi;
    if
    :: answer == REFUSED ->
        if
        :: atomic { s_dead = s_dead | bit(mine); printf("  planetkey %d: marks %d as revoked\n", who, mine) }
        :: may_fail
        fi
    :: answer == LOST || answer == TURNED_AWAY ->
        atomic { if :: answer == TURNED_AWAY -> sent = sent & ~bit(mine) :: else fi }
    :: is_token(answer) ->
        /* Save: a save that fails is repeated until it succeeds or its process ends. */
        if
        :: atomic {
#ifdef OWNER_SAVES
            lock != me
#else
#ifdef FENCING
            fence > my_fence
#else
#ifdef NO_COMPARE
            false
#else
            s_token != NONE && s_token != mine && s_seq >= seq
#endif
#endif
#endif
            -> printf("  planetkey %d: does not save %d\n", who, answer);
               claim(token_dropped, live != answer || (lost_because & REASONS)) }
        :: atomic {
#ifdef OWNER_SAVES
            lock == me
#else
#ifdef FENCING
            fence == my_fence
#else
#ifdef NO_COMPARE
            true
#else
            s_token == NONE || s_token == mine || s_seq < seq
#endif
#endif
#endif
            -> s_token = answer;
               s_seq = (s_seq > seq -> s_seq : seq) + 1;
               s_intent = NONE;
               if :: lock == me -> lock = FREE :: else fi;
               printf("  planetkey %d: saves %d\n", who, answer) }
        :: may_crash
        fi
    :: else
    fi;
release:
    atomic {
        if :: lock == me -> lock = FREE :: else fi;
        if :: s_intent != NONE && s_by == me -> s_intent = NONE :: else fi
    };
failed:
done:
    atomic { waiting[me] = false; mine = NONE; seq = 0; answer = NONE; my_fence = 0 };
    goto end_again;
crashed:
    atomic {
        /* The lock ends after some time, and the intent after some more. */
        waiting[me] = false;
        if :: s_intent != NONE && s_by == me && (sent & bit(s_intent)) -> lost_because = lost_because | BY_LAPSE :: else fi;
        if :: lock == me -> lock = FREE :: else fi;
        mine = NONE; seq = 0; answer = NONE; my_fence = 0
    };
    /* A process that starts again has another name. */
    if
    :: atomic { s_intent != NONE && s_by == me -> s_by = MACHINES }
    :: else
    fi;
    goto end_again
}

proctype world() {
end_world:
    do
    :: atomic { expiries > 0 && issued > over -> expiries--; over = issued;
           printf("      time: access tokens up to %d have expired\n", over) }
    :: atomic { early > 0 && lock != FREE -> early--; lock = FREE;
           printf("      time: the lock ends\n") }
    :: atomic { lapses > 0 && s_intent != NONE -> lapses--;
           why[s_intent] = why[s_intent] | BY_LAPSE; lost_because = lost_because | BY_LAPSE;
           s_intent = NONE;
           printf("      time: the intent lapses\n") }
#if FAILOVERS > 0
    :: atomic { (r_token != s_token || r_intent != s_intent || r_seq != s_seq || r_dead != s_dead) && failovers > 0 ->
           r_token = s_token; r_seq = s_seq; r_intent = s_intent; r_by = s_by; r_dead = s_dead }
    :: atomic { failovers > 0 -> failovers--;
           /* What was written last may be lost. */
           if
           :: r_token != s_token || r_intent != s_intent ->
               lost_because = lost_because | BY_FAILOVER;
               why[r_token] = why[r_token] | BY_FAILOVER;
               why[s_token] = why[s_token] | BY_FAILOVER
           :: else
           fi;
           s_token = r_token; s_seq = r_seq; s_intent = r_intent; s_by = r_by; s_dead = r_dead;
           lock = FREE;
           printf("      store: the replica is promoted, with %d\n", s_token) }
#endif
    :: atomic { emptied > 0 -> emptied--; s_token = NONE; s_seq = 0; s_intent = NONE; s_dead = 0; lock = FREE;
           printf("      store: loses everything\n") }
    od
}

init {
    byte number;
    atomic {
        for (number : 0 .. MACHINES - 1) { run machine(number) }
        run world()
    }
}

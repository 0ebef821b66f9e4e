/*
 * The protocol between the processes that share one saved user session: lock, reread, adopt,
 * request, save. README.md says what is modelled, what is left out and how to read a trace.
 *
 * Two planetkey processes, one process of Planet's SDK, the authorization server and time. Numbers
 * are the tokens: token 1 is the one that the file holds at the start, and each token that the
 * server issues gets the next number. A token means a whole token response, so "the access
 * token of 3" came together with refresh token 3.
 *
 * Every name in capitals below can be set with spin -D.
 */

/* How often each event may happen. */
#ifndef TOKENS
#define TOKENS 4      /* tokens in all; then the server only answers 503 */
#endif
#ifndef EXPIRIES
#define EXPIRIES 1    /* every access token issued so far expires */
#endif
#ifndef FORCED
#define FORCED 0      /* refreshes in the background, or forced: the access token is valid */
#endif
#ifndef CRASHES
#define CRASHES 0     /* a planetkey process ends and starts again with no memory */
#endif
#ifndef HANGS
#define HANGS 0       /* a planetkey process is stopped and never continues */
#endif
#ifndef EARLY
#define EARLY 0       /* a lock ends while its holder works on; needs LEASE */
#endif
#ifndef SAVE_FAILS
#define SAVE_FAILS 0  /* the disk refuses a save */
#endif
#ifndef SDK
#define SDK 0         /* actions of Planet's SDK */
#endif
/* LOSSES: responses can be lost. LEASE: a lease instead of an operating system's lock, which
 * outlives a crash. OVERLAP: the server accepts replaced refresh tokens. LOGIN, RESET, TOUCH: what
 * the SDK or another program may do besides refreshing. */

/* Reasons why a refresh token may be sent again: the list in README.md. */
#define BY_AMBIGUITY 1
#define BY_CRASH     2
#define BY_EARLY     4
#define BY_UNSAVED   8
#ifndef SEND_REASONS
#define SEND_REASONS 15
#endif
/* Reasons why planetkey's save may replace a newer session. */
#define BY_WINDOW    1  /* written after planetkey's last look at the file */
#define BY_TORN      2  /* still half written at that look */
#define BY_EXPIRED   4  /* its access token had expired at that look */
#define BY_NO_LOOK   8  /* planetkey did not look, because an earlier save had failed */
#ifndef SAVE_REASONS
#define SAVE_REASONS 15
#endif
/* Whether a token of the file may be sent without a look, because an earlier save had failed. */
#ifndef LOOK_REASONS
#define LOOK_REASONS 1
#endif

/* The refresh tokens whose overwritten mark is a reason to send them again. */
#ifndef MARK_REASONS
#define MARK_REASONS 255
#endif

/* TOUCH_IS_LOGIN: a file that changed is another session, also if its tokens are the same. */
#ifndef TOUCH_IS_LOGIN
#define TOUCH_IS_LOGIN false
#endif
/* NO_LOCK, NO_REREAD, NO_VERSION, NO_COMPARE, NO_REVOKED_MARK, HAND_OUT_EARLY, NO_DEADLINE: broken
 * on purpose. UNCORRECTED: with the weaknesses that this model has found, which README.md lists. */

#define MAX_OVERTAKEN 2     /* MAX_FILE_CHANGES in the code, where it is 5 */

#define ABSENT 0
#define TORN   99
#define LOST   97
#define REFUSED 96
#define TURNED_AWAY 95

#define FREE 9
#define GONE 8          /* a lease whose holder crashed */
#define PLANET_SDK 2

/* What must hold; a trace ends with the name of what did not. */
mtype = {
    reuse, sent_unchecked, sent_twice, sent_revoked, session_lost, token_dropped, handed_out_unsaved
};

inline claim(name, holds) {
    if
    :: holds
    :: else -> printf("violated: %e\n", name); assert(false)
    fi
}

#define who (me + 1)     /* in a trace the processes are called 1 and 2 */

#define is_token(t) (t >= 1 && t <= TOKENS)
#define usable(t) (is_token(t) && t > over)
#define bit(t) (1 << t)
#define unmarked(t) (overwritten & MARK_REASONS & bit(t))
#ifdef OVERLAP
#define accepts(t) (live[family[t]] != 0)
#else
#define accepts(t) (live[family[t]] == t)
#endif

/* token.json */
byte f_token = 1;
byte f_version = 1;
bool attached[3];       /* this process has the file open, and no rename has replaced it since */
/* token.planetkey.json */
byte f_revoked;         /* refresh tokens that are marked as revoked */
bool f_failed;          /* the last attempt failed at the server */

byte lock = FREE;
bool lost[2];           /* this process lost its lock early */
byte sent_now[2];       /* sent, and neither saved nor marked as revoked */
bool waiting[2];        /* inside a call */

/* The server: the family (login) of each token, and the token that each family accepts. */
byte issued = 1;
byte family[TOKENS + 1];
byte live[3];
byte limbo;             /* a refresh token on its way in a request that its sender gave up */
byte over = 1;          /* access tokens up to this one have expired */

byte sdk_token;         /* what the SDK is writing */

/* What the assertions remember. */
byte sent;              /* refresh tokens that planetkey sent and the server may have processed */
byte used_by_sdk;
byte marked;            /* refresh tokens that were marked as revoked once ... */
byte overwritten;       /* ... and whose mark another process overwrote */
byte written = 2;       /* tokens that were in the file once */
byte why[TOKENS + 1];   /* reasons to send a refresh token again */

byte expiries = EXPIRIES;
byte forced = FORCED;
byte crashes = CRASHES;
byte hangs = HANGS;
byte early = EARLY;
byte save_fails = SAVE_FAILS;
byte sdk = SDK;

/* The server processes a refresh token grant. */
inline exchange(t, answer, by_sdk) {
    if
    :: live[family[t]] == 0 -> answer = REFUSED
    :: accepts(t) && issued == TOKENS -> answer = TURNED_AWAY
#ifndef OVERLAP
    :: live[family[t]] != 0 && live[family[t]] != t ->
        /* Reuse: the server revokes the family (RFC 9700 4.14.2). Planetkey caused it for a listed
         * reason only. */
        claim(reuse, by_sdk || (why[t] & SEND_REASONS) || (used_by_sdk & bit(t)));
        printf("      server: token %d was replaced before: it revokes the session\n", t);
        live[family[t]] = 0;
        answer = REFUSED
#endif
    :: accepts(t) && issued < TOKENS ->
        issued++;
        family[issued] = family[t];
        live[family[t]] = issued;
        answer = issued;
        printf("      server: issues %d for %d\n", answer, t)
    fi
}

/* Any step may be the last one. This stands after each step that others can see: to end after a
 * step that changes nothing outside is the same as to end before it. */
inline step() {
    if
    :: true
    :: atomic { crashes > 0 -> crashes--; goto crashed }
    :: atomic { hangs > 0 -> hangs--; goto hung }
    fi
}

/* Opens the file and takes its version, then reads it. In between the SDK may write into the same
 * file; after a rename the old file is still the one that is open. */
inline read_file() {
    d_step { attached[me] = true; version = f_version; token = f_token };
    d_step {
        if
        :: attached[me] -> token = f_token
        :: else
        fi;
        attached[me] = false;
        printf("planetkey %d: reads %d, version %d\n", who, token, version)
    }
}

/* Writes the whole file of marks as it was read under the lock. */
inline remember(marks) {
    overwritten = overwritten | (f_revoked & ~(marks));
    f_revoked = marks
}

/* Tells the other processes of a failure at the server. */
inline share_failure() {
#ifndef UNCORRECTED
    revoked = f_revoked;
#endif
    f_failed = true;
    remember(revoked)
}

inline accept(t) {
    mem = t;
    unsaved = 0
}

proctype Planetkey(byte me) {
    byte mem = 1;       /* the token in memory */
    byte unsaved;       /* a token that could not be saved ... */
    byte replaced;      /* ... and the one in the file that it should have replaced */
    byte token, version, first_token, first_version, old, expected, answer, looked;
    byte overtaken, revoked, excuse;
    bool needs_token, in_memory, failed, replayed, switched, resent, changed, again;

end_idle:
    atomic {
        if
        :: !usable(mem) ->
            needs_token = true;
            printf("planetkey %d: needs a token\n", who)
        :: usable(mem) && forced > 0 ->
            forced--; needs_token = false;
            printf("planetkey %d: refreshes a valid token\n", who)
        fi;
        waiting[me] = true
    };

    /* Lock. */
#ifndef NO_LOCK
    if
    :: atomic { lock == FREE -> lock = me; lost[me] = false; printf("planetkey %d: locks\n", who) }
#ifndef NO_DEADLINE
    :: atomic { lock != FREE -> printf("planetkey %d: TIMEOUT\n", who); goto done }
#endif
    fi;
    step();
#endif

    /* Reread. */
#ifdef NO_REREAD
    if
    :: mem != 0 -> d_step { version = f_version; token = mem }
    :: mem == 0 -> read_file()
    fi;
#else
    read_file();
#endif
    atomic {
        first_token = token;
        first_version = version;
        revoked = f_revoked;
        failed = f_failed;
        in_memory = (unsaved != 0);
        if
        :: token == TORN && !in_memory ->
            printf("planetkey %d: LOGIN_REQUIRED, corrupt\n", who);
            goto done
        :: in_memory && (token == replaced || token == TORN) ->
            old = unsaved;
            if
            :: usable(mem) ->
                answer = unsaved; looked = version; excuse = (token == TORN -> BY_TORN : 0);
                goto save
            :: true
            fi
        :: else ->
#ifndef UNCORRECTED
            if
            :: in_memory && mem == unsaved -> mem = 0
            :: else
            fi;
            unsaved = 0; in_memory = false;
#endif
            old = token
        fi;
        if
        :: old == ABSENT -> accept(0); printf("planetkey %d: LOGIN_REQUIRED\n", who); goto done
        :: else
        fi;

        /* Adopt. In the background a token that is due itself is not good enough. */
        if
        :: old != mem && usable(old) ->
            printf("planetkey %d: adopts %d\n", who, old); accept(old);
            goto done
        :: !(old != mem && usable(old)) || !needs_token
        fi;

        /* A failure that all processes share may forbid an attempt now. */
        if
        :: failed ->
            printf("planetkey %d: UNAVAILABLE, from the failure that is shared\n", who);
            goto done
        :: true
        fi;
        expected = (in_memory -> 0 : version);
        replayed = false; switched = false; resent = false; overtaken = 0
    };

    /* Request. */
request:
    atomic {
        if
#ifndef NO_REVOKED_MARK
        :: (revoked & bit(old)) ->
            printf("planetkey %d: LOGIN_REQUIRED, token %d is marked as revoked\n", who, old);
            goto done
#endif
        :: else
        fi
    };
compare:
    atomic {
#ifdef NO_VERSION
        changed = false;
#else
        changed = (expected != 0 && f_version != expected);
#endif
        printf("planetkey %d: looks, before it sends %d: version %d\n", who, old, f_version);
        /* Immediately before it is sent, a refresh token is still the one in the file. */
        claim(sent_unchecked,
            changed || f_token == old || in_memory && (old == unsaved || LOOK_REASONS))
    };
    if
    :: changed ->
        read_file();
        atomic {
            overtaken++;
            if
            :: token == TORN -> printf("planetkey %d: STORAGE\n", who); goto done
            :: token == ABSENT -> accept(0);
                printf("planetkey %d: LOGIN_REQUIRED\n", who);
                goto done
            :: usable(token) -> goto found
            :: is_token(token) && !usable(token) && overtaken < MAX_OVERTAKEN ->
                old = token; expected = version; goto request
            :: is_token(token) && !usable(token) && overtaken >= MAX_OVERTAKEN ->
                printf("planetkey %d: STORAGE\n", who);
                goto done
            fi
        }
    :: else
    fi;

    atomic {
        if
        :: lost[me] -> why[old] = why[old] | BY_EARLY
        :: else
        fi;
        again = (sent & bit(old)) && !(why[old] & SEND_REASONS) && !unmarked(old);
        if
        :: exchange(old, answer, false)
#ifdef LOSSES
        :: why[old] = why[old] | BY_AMBIGUITY; exchange(old, answer, false);
            if
            :: answer != TURNED_AWAY -> answer = LOST
            :: else
            fi
        :: why[old] = why[old] | BY_AMBIGUITY; answer = LOST
        :: limbo == 0 -> why[old] = why[old] | BY_AMBIGUITY; limbo = old; answer = LOST
        :: answer = TURNED_AWAY
#endif
        fi;
        if
        :: answer != TURNED_AWAY ->
            printf("planetkey %d: has sent %d\n", who, old);
            /* No refresh token is sent twice, but for a listed reason. */
            claim(sent_twice, !again);
            /* None is sent after it was marked as revoked, but by a process without its lock. */
            claim(sent_revoked,
                !(marked & bit(old)) || (why[old] & BY_EARLY) || unmarked(old));
            sent = sent | bit(old);
            sent_now[me] = old
        :: else
        fi
    };
    step();

    /* The response. */
    if
    :: atomic { is_token(answer) -> printf("planetkey %d: receives %d\n", who, answer); goto look }
    :: answer == TURNED_AWAY ->
        if
        :: atomic { !resent -> resent = true; goto compare }
        :: atomic { share_failure(); printf("planetkey %d: UNAVAILABLE\n", who); goto done }
        fi
    :: atomic { answer == LOST -> printf("planetkey %d: receives no response\n", who) }
    :: atomic { answer == REFUSED -> printf("planetkey %d: invalid_grant\n", who) }
    fi;
    read_file();
    atomic {
        if
        :: is_token(token) && token != old && !in_memory && usable(token) -> goto found
        :: is_token(token) && token != old && !in_memory && !usable(token) && !switched ->
            switched = true; old = token; goto request
        :: else
        fi;
        if
        :: answer == REFUSED ->
#ifndef NO_REVOKED_MARK
            marked = marked | bit(old);
#ifndef UNCORRECTED
            revoked = f_revoked;
#endif
            remember(revoked | bit(old));
#endif
            sent_now[me] = 0;
            printf("planetkey %d: LOGIN_REQUIRED, marks %d as revoked\n", who, old);
            goto done
        :: answer == LOST && !replayed && !failed -> replayed = true; goto request
        :: answer == LOST && (replayed || failed) -> share_failure();
            printf("planetkey %d: UNAVAILABLE\n", who);
            goto done
        fi
    };

found:
    atomic { mem = token; printf("planetkey %d: adopts %d\n", who, mem); goto done };

    /* Save, unless another session has come in between. */
look:
#ifdef HAND_OUT_EARLY
    mem = answer; waiting[me] = false;
    claim(handed_out_unsaved, (written & bit(mem)) || mem == unsaved);
#endif
    atomic {
        looked = f_version;
        printf("planetkey %d: looks, before it saves %d: version %d\n", who, answer, f_version);
        excuse = 0;
#ifdef NO_COMPARE
        goto save;
#endif
        if
#ifdef UNCORRECTED
        :: in_memory -> excuse = BY_NO_LOOK; goto save
        :: !in_memory && looked == first_version -> goto save
#else
        :: looked == first_version -> excuse = (first_token == TORN -> BY_TORN : 0); goto save
#endif
        :: else
        fi
    };
    read_file();
    atomic {
        looked = version;
        if
        :: token == ABSENT -> accept(0); printf("planetkey %d: LOGIN_REQUIRED\n", who); goto done
        :: token == TORN -> excuse = BY_TORN
        :: usable(token) && (TOUCH_IS_LOGIN || token != first_token) ->
            /* A token is dropped only for one that is not its own predecessor. */
            printf("planetkey %d: drops %d for %d\n", who, answer, token);
            claim(token_dropped, token != old);
            accept(token);
            goto done
#ifndef UNCORRECTED
        :: is_token(token) && !usable(token) && token != old && token != first_token ->
            printf("planetkey %d: drops %d, STORAGE\n", who, answer);
            goto done
        :: is_token(token) && (token == old || token == first_token)
#else
        :: is_token(token) && !usable(token) -> excuse = (token == old -> 0 : BY_EXPIRED)
        :: usable(token) && !TOUCH_IS_LOGIN && token == first_token
#endif
        fi
    };
save:
    f_failed = false;   /* token.planetkey.json is written first */
    step();
    if
    :: atomic { save_fails > 0 ->
            save_fails--;
            why[old] = why[old] | BY_UNSAVED;
            unsaved = answer; replaced = first_token; mem = answer;
            sent_now[me] = 0;
            printf("planetkey %d: cannot save %d\n", who, answer);
            goto done
        }
    :: d_step {
            /* A saved session that is newer is not replaced, but for a listed reason. */
            token = (f_token == TORN -> sdk_token : f_token);
            excuse = excuse | (f_version != looked -> BY_WINDOW : 0);
            again = (f_token == ABSENT);
            if
            :: is_token(token) && live[family[token]] != 0 ->
                again = family[token] > family[answer] ||
                    family[token] == family[answer] && token > answer
            :: else
            fi;
            printf("planetkey %d: saves %d\n", who, answer);
            claim(session_lost, !again || (excuse & SAVE_REASONS));
            f_token = answer; f_version++;
            attached[0] = false; attached[1] = false; attached[2] = false;
            written = written | bit(answer);
            sent_now[me] = 0
        }
    fi;
    step();
    atomic { accept(answer); goto done };

done:
    atomic {
        /* What is handed out was saved before, or could not be. */
        claim(handed_out_unsaved, mem == 0 || (written & bit(mem)) || mem == unsaved);
        if
        :: lock == me -> lock = FREE
        :: else
        fi;
        lost[me] = false; sent_now[me] = 0; waiting[me] = false;
        token = 0; version = 0; first_token = 0; first_version = 0; old = 0; expected = 0;
        answer = 0; looked = 0; overtaken = 0; revoked = 0; excuse = 0;
        needs_token = false; in_memory = false; failed = false; replayed = false;
        switched = false; resent = false; changed = false; again = false;
        goto end_idle
    };

crashed:
    atomic {
        printf("planetkey %d: crashes\n", who);
        if
        :: sent_now[me] != 0 -> why[sent_now[me]] = why[sent_now[me]] | BY_CRASH
        :: else
        fi;
        if
#ifdef LEASE
        :: lock == me -> lock = GONE
#else
        :: lock == me -> lock = FREE
#endif
        :: else
        fi;
        accept(0);
        goto done
    };

hung:
    atomic { printf("planetkey %d: is stopped for ever\n", who); waiting[me] = false };
end_hung:
    false
}

/* Planet's SDK: no lock, no look before it writes, and it rewrites the file in place. */
active proctype Sdk() {
    byte me = PLANET_SDK, t, n;
end_idle:
    atomic { sdk > 0 -> sdk-- };
end_choose:
    if
    :: atomic { is_token(f_token) -> t = f_token; printf("      SDK: reads %d\n", t) };
        atomic {
            exchange(t, n, true);
            if
            :: n != TURNED_AWAY ->
                used_by_sdk = used_by_sdk | bit(t);
                printf("      SDK: has sent %d\n", t)
            :: else
            fi
        };
        if
        :: !is_token(n) -> goto finished
        :: else
        fi
#ifdef LOGIN
    :: atomic { live[2] == 0 && issued < TOKENS ->
            issued++; n = issued; family[n] = 2; live[2] = n;
            printf("      SDK: logs in and gets %d\n", n)
        }
#endif
#ifdef RESET
    :: atomic { f_token = ABSENT; f_version++; printf("      SDK: resets\n"); goto finished }
#endif
#ifdef TOUCH
    :: atomic { is_token(f_token) ->
            f_version++;
            printf("      another program touches the file: version %d\n", f_version);
            goto finished
        }
#endif
    fi;
    if
    :: goto finished    /* it crashes */
    :: d_step {
            attached[me] = true; f_token = TORN; f_version++; sdk_token = n;
            printf("      SDK: empties the file, version %d\n", f_version)
        }
    fi;
    if
    :: atomic { sdk_token = 0; goto finished }
    :: d_step {
            if
            :: attached[me] ->
                f_token = n; f_version++; written = written | bit(n);
                printf("      SDK: writes %d, version %d\n", n, f_version)
            :: else -> printf("      SDK: writes %d into a file that was replaced\n", n)
            fi;
            sdk_token = 0
        }
    fi;
finished:
    atomic { t = 0; n = 0; attached[me] = false; goto end_idle }
}

/* Time, the lease, and requests that arrive late. */
active proctype Environment() {
    byte ignored;
end_idle:
    do
    :: atomic { expiries > 0 && issued > over ->
            expiries--; over = issued;
            printf("      time: access tokens up to %d have expired\n", over)
        }
    :: atomic { limbo != 0 ->
            printf("      a late request arrives, with %d\n", limbo);
            exchange(limbo, ignored, false);
            limbo = 0; ignored = 0
        }
#ifdef LEASE
    :: atomic { lock == GONE ->
            lock = FREE;
            printf("      lease: that of the crashed process ends\n")
        }
    :: atomic { early > 0 && lock < 2 ->
            early--;
            printf("      lease: that of planetkey %d ends\n", lock + 1);
            lost[lock] = true;
            if
            :: sent_now[lock] != 0 -> why[sent_now[lock]] = why[sent_now[lock]] | BY_EARLY
            :: else
            fi;
            lock = FREE
        }
#endif
    od
}

init {
    atomic {
        family[1] = 1;
        live[1] = 1;
        run Planetkey(0);
        run Planetkey(1)
    }
}

#ifdef PROGRESS
ltl progress { [] (waiting[0] -> <> !waiting[0]) && [] (waiting[1] -> <> !waiting[1]) }
#endif

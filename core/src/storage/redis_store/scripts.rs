//! The commands of the store: scripts, because each step must be atomic, with the server's clock
//! only.
//!
//! All of them take the record and its lock as keys, and reply with a word, the server's time in
//! milliseconds, and what follows from the word.

use redis::{Cmd, Value};

/// The time, and whether the caller holds the lock. A lock without an end, or with a later one than
/// any of this library, is not of this library and is replaced.
const HEAD: &str = "
local record, lock = KEYS[1], KEYS[2]
local owner, ttl = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function number(value) return string.format('%.0f', value) end
local stamp = number(now)
local left = redis.call('PTTL', lock)
local holder = false
if left >= 0 and left <= ttl then holder = redis.call('GET', lock) end
local function field(name) return redis.call('HGET', record, name) end
local function pending()
  local until_ms = tonumber(field('intent_until') or '0') or 0
  if field('intent_by') == owner or until_ms <= now then return 0 end
  if until_ms - now > tonumber(ARGV[3]) then return 0 end
  return until_ms - now
end
local function state(word)
  return {word, stamp, field('id'), field('seq'), field('tokens'), field('wait'), field('dead'),
    field('out')}
end
local function replicas()
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then return number(0) end
  return number(tonumber(string.match(info, 'connected_slaves:(%d+)') or '0'))
end
local function expire()
  if ARGV[4] ~= 'm2m' then return end
  local e, w = tonumber(field('end') or '0') or 0, tonumber(field('wait_until') or '0') or 0
  local last = math.max(e, w)
  if last > now then redis.call('PEXPIREAT', record, number(last)) end
end
";

/// Takes the lock, unless another process holds it or has sent the refresh token and its result is
/// not saved yet.
const ACQUIRE: &str = "
if holder and holder ~= owner then return {'busy', stamp, number(left)} end
local sent = pending()
if sent > 0 then return {'sent', stamp, number(sent)} end
redis.call('SET', lock, owner, 'PX', ttl)
return state('held')
";

/// Reads the record.
const READ: &str = "
return state('read')
";

/// Lets the lock end later, while this process holds it.
const EXTEND: &str = "
if holder ~= owner then return {'lost', stamp} end
redis.call('PEXPIRE', lock, ttl)
return {'held', stamp}
";

/// Writes the intent to send the refresh token of the saved session, unless another session is
/// there, or the token is marked as revoked.
const ANNOUNCE: &str = "
if holder and holder ~= owner then return {'busy', stamp} end
local sent = pending()
if sent > 0 then return {'busy', stamp} end
local id = field('id')
if field('out') or (id and id ~= ARGV[5]) then return {'changed', stamp} end
for mark in string.gmatch(field('dead') or '', '%S+') do
  if mark == ARGV[8] then return {'changed', stamp} end
end
-- The store has lost its data, and another machine may have read the same token before.
if not id and not holder then return {'busy', stamp} end
redis.call('SET', lock, owner, 'PX', ttl)
redis.call('HSET', record, 'intent', ARGV[6], 'intent_by', owner,
  'intent_until', number(now + tonumber(ARGV[7])))
return {'sent', stamp, replicas()}
";

/// Saves tokens instead of their predecessor. The lock plays no part: its holder may have been
/// stopped for longer than the lock lasts, and has the only valid refresh token.
const SAVE: &str = "
local id, seq = field('id'), tonumber(field('seq') or '0') or 0
local rule, expected, known = ARGV[5], ARGV[6], tonumber(ARGV[7])
if id ~= ARGV[8] then
  if rule == 'next' then
    if field('out') then return {'changed', stamp} end
    if id and id ~= expected and seq >= known then return {'changed', stamp} end
  elseif rule == 'newer' and id and id ~= expected then
    local e = tonumber(field('end') or '0') or 0
    if e > now + tonumber(ARGV[10]) then return {'changed', stamp} end
  end
end
seq = math.max(seq, known) + 1
-- A login is newer than all that was before it, also if a failover lost some of that.
if rule == 'any' then seq = math.max(seq, now) end
redis.call('HSET', record, 'id', ARGV[8], 'seq', number(seq), 'tokens', ARGV[9],
  'end', number(now + tonumber(ARGV[10])))
redis.call('HDEL', record, 'wait', 'wait_until', 'out', 'intent', 'intent_by', 'intent_until')
if holder == owner then redis.call('DEL', lock) end
if ARGV[4] == 'm2m' then
  expire()
  return {'saved', stamp, number(seq), number(0)}
end
redis.call('PERSIST', record)
return {'saved', stamp, number(seq), replicas()}
";

/// Saves the shared wait, and adds marks of revoked refresh tokens to those that are there.
const NOTE: &str = "
if ARGV[5] == '' then
  redis.call('HDEL', record, 'wait', 'wait_until')
else
  redis.call('HSET', record, 'wait', ARGV[5], 'wait_until', number(now + tonumber(ARGV[6])))
end
if ARGV[7] ~= '' then
  local marks, seen = {}, {}
  for mark in string.gmatch((field('dead') or '') .. ' ' .. ARGV[7], '%S+') do
    if not seen[mark] then seen[mark] = true; marks[#marks + 1] = mark end
  end
  while #marks > 16 do table.remove(marks, 1) end
  redis.call('HSET', record, 'dead', table.concat(marks, ' '))
end
expire()
return {'saved', stamp}
";

/// Deletes the tokens. A user session leaves a mark for a day, so that a refresh that is in
/// progress does not undo the logout, and the marks of revoked refresh tokens.
const REMOVE: &str = "
local existed = field('tokens') and '1' or '0'
if ARGV[4] == 'm2m' then
  redis.call('DEL', record)
  return {'removed', stamp, existed}
end
redis.call('HDEL', record, 'id', 'tokens', 'end', 'wait', 'wait_until', 'intent', 'intent_by',
  'intent_until')
redis.call('HSET', record, 'out', '1')
redis.call('PEXPIRE', record, ARGV[5])
return {'removed', stamp, existed}
";

/// Releases the lock, and withdraws an intent whose sender knows that no result follows.
const RELEASE: &str = "
if holder == owner then redis.call('DEL', lock) end
if ARGV[5] ~= 'keep' and field('intent_by') == owner then
  redis.call('HDEL', record, 'intent', 'intent_by', 'intent_until')
end
return {'released', stamp}
";

/// Which script runs, with its own arguments.
pub(super) enum Step<'a> {
    Acquire,
    Read,
    Extend,
    Announce { id: &'a str, intent: &'a str, for_ms: u64, mark: &'a str },
    Save { rule: &'a str, expected: &'a str, known: u64, id: &'a str, tokens: &'a str, ms: u64 },
    Note { wait: &'a str, for_ms: u64, marks: &'a str },
    Remove { mark_ms: u64 },
    Release { keeps_intent: bool },
}

/// What every script gets.
pub(super) struct Scope<'a> {
    pub(super) record: &'a str,
    pub(super) lock: &'a str,
    pub(super) owner: &'a str,
    pub(super) is_m2m: bool,
    /// How long a lock lasts, and how long an intent may be pending.
    pub(super) lock_ms: u64,
    pub(super) longest_intent_ms: u64,
}

impl Step<'_> {
    /// The command that runs the script. It is sent whole each time: EVAL needs no further right,
    /// and a server that was restarted knows no script.
    pub(super) fn command(&self, scope: &Scope<'_>) -> Cmd {
        let body = match self {
            Step::Acquire => ACQUIRE,
            Step::Read => READ,
            Step::Extend => EXTEND,
            Step::Announce { .. } => ANNOUNCE,
            Step::Save { .. } => SAVE,
            Step::Note { .. } => NOTE,
            Step::Remove { .. } => REMOVE,
            Step::Release { .. } => RELEASE,
        };
        let mut command = redis::cmd("EVAL");
        command.arg(format!("{HEAD}{body}")).arg(2).arg(scope.record).arg(scope.lock);
        command.arg(scope.owner).arg(scope.lock_ms).arg(scope.longest_intent_ms);
        command.arg(if scope.is_m2m { "m2m" } else { "user" });
        match self {
            Step::Acquire | Step::Read | Step::Extend => {}
            Step::Announce { id, intent, for_ms, mark } => {
                command.arg(id).arg(intent).arg(for_ms).arg(mark);
            }
            Step::Save { rule, expected, known, id, tokens, ms } => {
                command.arg(rule).arg(expected).arg(known).arg(id).arg(tokens).arg(ms);
            }
            Step::Note { wait, for_ms, marks } => {
                command.arg(wait).arg(for_ms).arg(marks);
            }
            Step::Remove { mark_ms } => {
                command.arg(mark_ms);
            }
            Step::Release { keeps_intent } => {
                command.arg(if *keeps_intent { "keep" } else { "withdraw" });
            }
        }
        command
    }
}

/// What a script replied.
pub(super) struct Reply {
    pub(super) word: String,
    /// The server's time, in Unix milliseconds.
    pub(super) server_ms: u64,
    rest: Vec<Option<String>>,
}

impl Reply {
    /// `None` if it is not the reply of a script.
    pub(super) fn of(value: Value) -> Option<Reply> {
        let Value::Array(values) = value else { return None };
        let mut values = values.into_iter().map(text);
        let word = values.next()??;
        let server_ms = values.next()??.parse().ok()?;
        Some(Reply { word, server_ms, rest: values.collect() })
    }

    /// A value after the word and the time.
    pub(super) fn text(&mut self, index: usize) -> Option<String> {
        self.rest.get_mut(index).and_then(Option::take)
    }

    /// A number after the word and the time; 0 if it is none.
    pub(super) fn number(&mut self, index: usize) -> u64 {
        self.text(index).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

-- Stands before every script: names of the keys, and the few ways in which a job changes.
--
-- KEYS[1] = "<prefix>:"; with it in front:
--   job:<id>              hash    the record
--   events:<id>           stream  event lines
--   attempts:<id>         list    attempts as JSON, oldest first
--   log:<id>              stream  newest lines that its trainers printed
--   pictures:<id>         hash    newest validation pictures; pictures  zset  ids that have some, by time
--   jobs                  zset    all ids by creation
--   state:<state>         zset    ids in a state by creation
--   name:<name>  names    zset    ids of a name by creation; names by number of jobs
--   spec:<spec_id>        zset    ids of a spec by creation
--   campaign:<name>       zset    ids of a campaign by creation; campaign:<name>:<state> those in a state
--   campaigns             zset    names of campaigns by number of jobs
--   campaign:<name>:record  hash  a campaign from a file (store/campaigns.py); of such a one also
--   campaign:<name>:cells   hash  id -> {stage, axes} as JSON, of the cells that the file has now
--   campaign:<name>:won     hash  stage -> cells that succeeded
--   campaign:<name>:open:<stage>  set  ids of a stage that have not ended
--   campaign:<name>:free    zset  held ids that may begin, by creation
--   campaign:<name>:stopped set   ids that a search has stopped at their rungs
--   rungs:<id>            hash    iteration -> metrics there as JSON, of a job that is compared at rungs
--   campaign:<name>:due     set   held ids to be looked at again, since one that they wait for has ended
--   followers:<id>  followers:<name>/<stage>  set  held ids that wait for that job, that stage
--   campaign:<name>:unfit  hash   <stage>/<number> -> what was drawn for a search and became no cell, and why
--   suffixes              zset    reversed ids
--   ready:<class>:<root>  zset    ids that can be claimed, lowest score first; with a lot (see offers.py) its
--   ready:<class>:<root>:<lot>    name stands behind; lots:<class>:<root>  set  lots of which there are some
--   first-user            string  whose jobs need no lot to tell them from others; users  set  all of them
--   user:<name>:running   set     ids of a user's that run; user:<name>:waiting those queued or held
--   usage                 hash    user, or user/campaign -> '<seconds trained lately> <when that was noted>'
--   memory                hash    kind of work -> bytes of a GPU that a job of it took
--   loosened              string  somebody has just looked for guesses that no worker fits (see loosen); expires
--   quota:running  quota:queued  hash  user -> most jobs that run, that are queued or held
--   delayed               zset    ids by the time they become ready
--   opening               zset    ids by the time their window opens
--   bells                 zset    ready ids by the time to ring again
--   leases                zset    running ids by the end of their lease
--   running               zset    running ids by priority
--   yielding              set     running ids that were asked to give way, and some that were
--   occasions             zset    what notices may be about (ended:<id>:<when>), by time; the newest of them
--   seen                  string  when a worker was last in touch with Redis (see `note`)
--   looked                string  somebody has just looked who is to give way (see preempt); expires
--   schema                string  the newest version of these scripts that has made a record (store/schema.py)
--   moved                 string  the queue is on another server, or on its way (store/moved.py)
--   audit                 stream  acts of users (epilogue.lua)

local P = KEYS[1]
local NOTE = table.remove(ARGV)  -- what the audit trail is to say of this call: JSON, or ''
local RING_AFTER = 2   -- s; whoever makes a job ready rings himself, the sweeper only where that was lost
local RING_AGAIN = 30  -- s

local moved = redis.call('GET', P .. 'moved')
if moved then return redis.error_reply('SRQMOVED ' .. moved) end

local SCHEMA = 2

-- Whoever is of a version too far from this one is told so when he connects.
local function note_schema()
  if (tonumber(redis.call('GET', P .. 'schema') or 1)) < SCHEMA then redis.call('SET', P .. 'schema', SCHEMA) end
end

local function now()
  local t = redis.call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1e6
end

local function stamp(seconds) return string.format('%.3f', seconds) end

local function job(id) return P .. 'job:' .. id end

local function get(id, field) return redis.call('HGET', job(id), field) or '' end

local function set(id, ...) redis.call('HSET', job(id), ...) end

-- The lease of a running job ends so many seconds from now.
local function hold(id, lease)
  set(id, 'lease', lease)
  redis.call('ZADD', P .. 'leases', stamp(now() + lease), id)
end

-- Opens every script by which workers keep in touch: renew, sweep, claim. A worker that runs a job renews
-- every few seconds, so where nobody has called for longer than half a lease while leases are out, all of
-- them were cut off: Redis was frozen, stopped or out of reach, it went back to older data, or its clock jumped
-- forward. Who comes first afterwards gives every lease that is out its whole length from now, so that each
-- owner has its chance to renew before anybody takes over.
-- After a shorter gap a live owner has half a lease left, less the time between two renewals; that holds too
-- where Redis lost the last second of its file, because `seen` and the leases went back together. Where only
-- some were cut off the others keep `seen` fresh, and leases end in time. A worker that died alone is
-- taken over in time by one that is started within half a lease; by a later one after one lease.
local function note(lease)
  local at, seen = now(), tonumber(redis.call('GET', P .. 'seen') or nil)
  if not seen or at - seen > lease / 2 then
    for _, id in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
      hold(id, tonumber(get(id, 'lease')) or lease)
    end
  end
  redis.call('SET', P .. 'seen', stamp(at))
end

-- What decides, beside class and root, who may claim a job and whose turn it is; '' for one that needs nothing
-- and is the first user's, or nobody's: those of the version before, whose workers look at no lots.
local function lot_of(id)
  local known = redis.call('HMGET', job(id), 'gpu_memory', 'peak', 'needs', 'user', 'share', 'guess', 'guess_off')
  local asked, peak, user = tonumber(known[1] or '') or 0, tonumber(known[2] or '') or 0, known[4] or ''
  local parts = {}
  if asked > 0 then table.insert(parts, 'm=' .. known[1]) end
  local guess = asked == 0 and peak == 0 and (known[7] or '') == '' and known[6] or ''
  if peak > asked then table.insert(parts, 'p=' .. known[2]) elseif guess ~= '' then table.insert(parts, 'p=' .. guess) end
  if (known[3] or '') ~= '' then table.insert(parts, known[3]) end
  if user ~= '' and user ~= redis.call('GET', P .. 'first-user') then table.insert(parts, 'u=' .. user) end
  if (known[5] or '') ~= '' then table.insert(parts, 'k=' .. known[5]) end
  return table.concat(parts, ';')
end

-- Where ready jobs of a class, a root and a lot lie.
local function ready_set(class, root, lot)
  return P .. 'ready:' .. class .. ':' .. root .. (lot == '' and '' or ':' .. lot)
end

-- (class, root, lot) of a job.
local function shelf(id)
  local known = redis.call('HMGET', job(id), 'device_class', 'root_id', 'lot')
  local root = known[2] or ''
  return known[1] or '', root == '' and '-' or root, known[3] or ''
end

local function ready_key(id) return ready_set(shelf(id)) end

-- What only waits to be cancelled (it takes seconds), then priority (9 first), then who stands at the front,
-- then age: one whole number below 2^53.
local function ready_score(id)
  local rank = (9 - tonumber(get(id, 'priority'))) * 2 + (get(id, 'front') == '1' and 0 or 1)
  if get(id, 'wish') == 'cancel' then rank = -1 end
  return string.format('%.0f', rank * 2 ^ 42 + math.floor(tonumber(get(id, 'created')) * 1000))
end

local function put_in(id)
  set(id, 'lot', lot_of(id))
  local class, root, lot = shelf(id)
  redis.call('ZADD', ready_set(class, root, lot), ready_score(id), id)
  if lot ~= '' then redis.call('SADD', P .. 'lots:' .. class .. ':' .. root, lot) end
end

local function take_out(id)
  local class, root, lot = shelf(id)
  redis.call('ZREM', ready_set(class, root, lot), id)
  if lot == '' then return end
  redis.call('ZREM', ready_set(class, root, ''), id)  -- the version before puts all of them there
  if redis.call('EXISTS', ready_set(class, root, lot)) == 0 then
    redis.call('SREM', P .. 'lots:' .. class .. ':' .. root, lot)
  end
end

-- Takes back that `id` is to give way, where the job that asked for it is ready no more, or no longer better.
local function give_way_only_for_better(id)
  if get(id, 'wish') ~= 'preempt' then return end
  local asker = get(id, 'preempted_by')
  local waits = redis.call('ZSCORE', ready_key(asker), asker) and get(asker, 'wish') == ''
  if waits and tonumber(get(asker, 'priority')) > tonumber(get(id, 'priority')) then return end
  set(id, 'wish', '', 'yields_to', '', 'preempted_by', '')
end

-- The campaigns of a job, one after the other.
local function campaigns(id) return string.gmatch(get(id, 'campaigns'), '[^,]+') end

local function campaign_key(name, state) return P .. 'campaign:' .. name .. (state and ':' .. state or '') end

-- Its campaign holds it no more.
local function let_go(id)
  local keeper = get(id, 'held_by')
  if keeper == '' then return end
  redis.call('ZREM', campaign_key(keeper, 'free'), id)
  redis.call('SREM', campaign_key(keeper, 'due'), id)
  set(id, 'held_by', '')
end

local function unqueue(id)
  take_out(id)
  redis.call('ZREM', P .. 'delayed', id)
  redis.call('ZREM', P .. 'opening', id)
  redis.call('ZREM', P .. 'bells', id)
  set(id, 'not_before', '')
  if get(id, 'asked') ~= '' then
    give_way_only_for_better(string.match(get(id, 'asked'), '^%S+'))
    set(id, 'asked', '')
  end
  let_go(id)
end

local FINAL = {succeeded = true, failed = true, cancelled = true}

-- Held cells that wait for it are to be looked at. `woken` counts these calls: who looks at the time sees by it
-- that what he read may be old (see admit).
local function wake_followers(key)
  local keepers = {}
  for _, id in ipairs(redis.call('SMEMBERS', P .. 'followers:' .. key)) do
    local keeper = get(id, 'held_by')
    if keeper ~= '' then
      redis.call('SADD', campaign_key(keeper, 'due'), id)
      keepers[keeper] = true
    end
  end
  for keeper in pairs(keepers) do
    if redis.call('EXISTS', campaign_key(keeper, 'record')) == 1 then
      redis.call('HINCRBY', campaign_key(keeper, 'record'), 'woken', 1)
    end
  end
end

-- The stage of a job in a campaign; nil where the campaign has no file, or the job is in it no more.
local function stage_of(id, name)
  local cell = redis.call('HGET', campaign_key(name, 'cells'), id)
  return cell and cjson.decode(cell).stage
end

-- A job has ended, or goes on after its end: what its stages and those that wait for it learn of it.
local function count_end(id, name, stage, state)
  local open = campaign_key(name, 'open:' .. stage)
  if not FINAL[state] then redis.call('SADD', open, id) return end
  redis.call('SREM', open, id)
  if state == 'succeeded' then redis.call('HINCRBY', campaign_key(name, 'won'), stage, 1) end
  if redis.call('SCARD', open) == 0 then wake_followers(name .. '/' .. stage) end
end

local function tell_campaigns(id, before, state, rested)
  if FINAL[before] == FINAL[state] and not rested then return end
  for name in campaigns(id) do
    local stage = stage_of(id, name)
    if stage and before == 'succeeded' then redis.call('HINCRBY', campaign_key(name, 'won'), stage, -1) end
    if stage then count_end(id, name, stage, state) end
  end
  if FINAL[state] then wake_followers(id) end
end

-- A search looks at its jobs again once one of them has changed (campaign:<name>:record, moved).
local function note_moved(name)
  if redis.call('HEXISTS', campaign_key(name, 'record'), 'moved') == 1 then
    redis.call('HINCRBY', campaign_key(name, 'record'), 'moved', 1)
  end
end

-- A search stopped it at its rung: that is an end for who waits for its stage, until somebody resumes it.
local function rest(id)
  set(id, 'stopped', '1')
  for name in campaigns(id) do
    local stage = stage_of(id, name)
    redis.call('SADD', campaign_key(name, 'stopped'), id)
    if stage then
      redis.call('SREM', campaign_key(name, 'open:' .. stage), id)
      if redis.call('SCARD', campaign_key(name, 'open:' .. stage)) == 0 then wake_followers(name .. '/' .. stage) end
    end
    note_moved(name)
  end
  wake_followers(id)
end

local function no_longer_rests(id)
  if get(id, 'stopped') == '' then return false end
  set(id, 'stopped', '')
  for name in campaigns(id) do redis.call('SREM', campaign_key(name, 'stopped'), id) end
  return true
end

local WAITS = {queued = true, held = true}

-- What its user has running and waiting; `state` '' where the job is gone.
local function count_for_user(id, state)
  local user = get(id, 'user')
  if user == '' then return end
  local own = P .. 'user:' .. user
  redis.call(state == 'running' and 'SADD' or 'SREM', own .. ':running', id)
  redis.call(WAITS[state] and 'SADD' or 'SREM', own .. ':waiting', id)
end

local function move(id, state)
  local before, created = get(id, 'state'), get(id, 'created')
  redis.call('ZREM', P .. 'state:' .. before, id)
  redis.call('ZADD', P .. 'state:' .. state, created, id)
  local rested = no_longer_rests(id)
  for name in campaigns(id) do
    redis.call('ZREM', campaign_key(name, before), id)
    redis.call('ZADD', campaign_key(name, state), created, id)
    note_moved(name)
  end
  redis.call('ZREM', P .. 'running', id)
  if state == 'running' then redis.call('ZADD', P .. 'running', get(id, 'priority'), id) end
  set(id, 'state', state, 'updated', stamp(now()))
  count_for_user(id, state)
  tell_campaigns(id, before, state, rested)
end

local function index_in(name, id)
  redis.call('ZADD', campaign_key(name), get(id, 'created'), id)
  redis.call('ZINCRBY', P .. 'campaigns', 1, name)
end

-- A job that is registered becomes one of a campaign, beside those that it is of already.
local function join(id, name)
  if name == '' or redis.call('ZSCORE', campaign_key(name), id) then return end
  local others, state = get(id, 'campaigns'), get(id, 'state')
  set(id, 'campaigns', others == '' and name or others .. ',' .. name)
  index_in(name, id)
  if state ~= '' then redis.call('ZADD', campaign_key(name, state), get(id, 'created'), id) end
  if get(id, 'stopped') ~= '' then redis.call('SADD', campaign_key(name, 'stopped'), id) end
end

-- A new record, whose fields are set, becomes findable.
local function register(id)
  local created, name = get(id, 'created'), get(id, 'name')
  redis.call('ZADD', P .. 'jobs', created, id)
  redis.call('ZADD', P .. 'spec:' .. get(id, 'spec_id'), created, id)
  redis.call('ZADD', P .. 'name:' .. name, created, id)
  redis.call('ZINCRBY', P .. 'names', 1, name)
  redis.call('ZADD', P .. 'suffixes', 0, string.reverse(id))
  if get(id, 'user') ~= '' then
    redis.call('SETNX', P .. 'first-user', get(id, 'user'))
    redis.call('SADD', P .. 'users', get(id, 'user'))
  end
  set(id, 'lot', lot_of(id))
  for campaign in campaigns(id) do index_in(campaign, id) end
end

-- To the queue, at once. `front` is '1' or '0'.
local function make_ready(id, front)
  unqueue(id)
  move(id, 'queued')
  set(id, 'front', front, 'finished', '')
  put_in(id)
  redis.call('ZADD', P .. 'bells', stamp(now() + RING_AFTER), id)
end

-- Whether a search that goes on decides what becomes of it at its rung.
local function is_searched(id)
  for name in campaigns(id) do
    local known = redis.call('HMGET', campaign_key(name, 'record'), 'moved', 'state')
    if known[1] and known[2] ~= 'ended' and stage_of(id, name) then return true end
  end
  return false
end

-- Held by a campaign, until it lets the job begin. `after`: what it waits for, ids and stage:<stage>, with commas.
local function keep(id, name, after)
  move(id, 'held')
  set(id, 'held_by', name)
  if after == '' then redis.call('ZADD', campaign_key(name, 'free'), get(id, 'created'), id) return end
  for one in string.gmatch(after, '[^,]+') do
    local stage = string.match(one, '^stage:(.+)$')
    redis.call('SADD', P .. 'followers:' .. (stage and name .. '/' .. stage or one), id)
  end
  redis.call('SADD', campaign_key(name, 'due'), id)
end

-- It may train to its end, whatever a search thinks of it; where `keeper` holds its cells, once its turn comes.
local function lift(id, keeper, after)
  set(id, 'until', '')
  if get(id, 'state') ~= 'paused' or get(id, 'reason') ~= 'rung' then return end
  set(id, 'reason', '', 'message', '')
  if keeper then keep(id, keeper, after) else make_ready(id, '0') end
end

-- To the very front, for a worker to export the best weights of its checkpoint and end it.
local function export_first(id, message)
  set(id, 'wish', 'cancel', 'message', message)
  make_ready(id, '1')
end

-- To a state in which it is looked at again after `seconds`.
local function delay(id, state, seconds)
  unqueue(id)
  move(id, state)
  local at = stamp(now() + seconds)
  set(id, 'front', '0', 'finished', '', 'not_before', at)
  redis.call('ZADD', P .. 'delayed', at, id)
end

-- To the queue, to be ready at the moment `at`: a window opens then. Where it stands is as `front` says.
local function wait_until(id, at)
  local front = get(id, 'front')
  unqueue(id)
  move(id, 'queued')
  set(id, 'finished', '', 'not_before', at, 'front', front == '1' and '1' or '0')
  redis.call('ZADD', P .. 'opening', at, id)
end

-- To a state in which nothing happens by itself.
local function park(id, state, final)
  unqueue(id)
  move(id, state)
  set(id, 'wish', '', 'finished', final and stamp(now()) or '')
end

-- Whether `token` may still write: 'ok'; 'reaped': the lease ran out, but nobody has claimed the job since (it
-- may have been the third time, which failed the job: its owner lives, so it has not);
-- 'lost': claimed by another, or ended; 'gone': Redis knows no such job, or only from before `token` was given
-- (it lost its data; see restore).
local function standing(id, token)
  local known = redis.call('HMGET', job(id), 'token', 'state', 'reaped')  -- reaped: failures before it, or ''
  if not known[1] then return 'gone' end
  if tonumber(known[1]) < tonumber(token) then return 'gone' end
  if known[1] ~= token then return 'lost' end
  if known[2] == 'running' then return 'ok' end
  -- Before its first claim a job has no such field: nobody holds the token 0.
  if (known[2] == 'queued' or known[2] == 'failed') and known[3] and known[3] ~= '' then return 'reaped' end
  return 'lost'
end

-- Where Redis went back to older data it may have given the token of a living owner once more, to a worker that
-- does not see his run folder. The earlier claim stands: 'gone' for its owner (who then restores the record),
-- 'lost' for the other; nil where there is but one claim. `claimed`: when the caller claimed, '' unknown.
local function twin(id, token, claimed)
  local its = get(id, 'claimed')
  if claimed == '' or its == '' or its == claimed or get(id, 'token') ~= token then return nil end
  return tonumber(claimed) < tonumber(its) and 'gone' or 'lost'
end

-- Whether `seq` of the attempt `token` stands above what is published: by (token, seq), as on the disk.
local function is_newer(id, token, seq)
  local its = tonumber(get(id, 'seq_token')) or 0
  return tonumber(token) > its or (tonumber(token) == its and seq > (tonumber(get(id, 'seq')) or -1))
end

local function set_published(id, token, seq, iteration)
  set(id, 'seq', seq, 'seq_token', token, 'saved_iteration', iteration)
end

-- The attempts of a job, oldest first, the newest of them: what each was and how it ended, as JSON.
local ATTEMPTS_KEPT = 100
local MESSAGE_KEPT = 1500  -- bytes

local function attempts(id) return P .. 'attempts:' .. id end

local function number_of(id, field) return tonumber(get(id, field)) or 0 end

-- Begins one, with what the record says of it: one that was told again (see restore) began when it was claimed. One
-- that Redis saw no end of was another's.
local function begin_attempt(id)
  local claimed = tonumber(get(id, 'claimed'))
  local last = redis.call('LINDEX', attempts(id), -1)
  local before = last and cjson.decode(last) or {}
  if before.token == number_of(id, 'token') then redis.call('RPOP', attempts(id))
  elseif last and not before.ended then
    before.ended, before.reason = tonumber(stamp(now())), 'lease_lost'
    redis.call('LSET', attempts(id), -1, cjson.encode(before))
  end
  redis.call('RPUSH', attempts(id), cjson.encode({
    token = number_of(id, 'token'), worker = get(id, 'owner'), host = get(id, 'host'),
    begun = claimed and math.min(claimed, tonumber(stamp(now()))) or tonumber(stamp(now())),
    from_iteration = number_of(id, 'saved_iteration'),
  }))
  redis.call('LTRIM', attempts(id), -ATTEMPTS_KEPT, -1)
end

-- Changes the newest: `change` gets it as a table.
local function note_attempt(id, change)
  local last = redis.call('LINDEX', attempts(id), -1)
  if not last then return end
  local attempt = cjson.decode(last)
  change(attempt)
  redis.call('LSET', attempts(id), -1, cjson.encode(attempt))
end

local ENDING = {'ended', 'kwh', 'iteration', 'seq', 'reason', 'message', 'counted', 'failures', 'state', 'not_before'}

local HALF_LIFE = 24 * 3600  -- s in which what was trained weighs half

-- Seconds that a user, or one of his campaigns, has trained lately.
local function used(whose)
  local seconds, at = string.match(redis.call('HGET', P .. 'usage', whose) or '', '^(%S+) (%S+)$')
  return seconds and tonumber(seconds) * 0.5 ^ (math.max(0, now() - tonumber(at)) / HALF_LIFE) or 0
end

local function charge(whose, seconds)
  local sum = math.max(0, used(whose) + seconds)
  redis.call('HSET', P .. 'usage', whose, string.format('%.3f %.3f', sum, now()))
end

-- What was taken of a job's campaigns' budgets.
local function spend_of_budgets(id, seconds, kwh)
  for name in campaigns(id) do
    local record = campaign_key(name, 'record')
    if redis.call('EXISTS', record) == 1 then
      redis.call('HINCRBYFLOAT', record, 'spent_s', stamp(seconds))
      redis.call('HINCRBYFLOAT', record, 'spent_kwh', string.format('%.9f', kwh))
    end
  end
end

-- What an attempt took, added to what it, its user and its campaigns have spent (`sign` 1), or taken back (-1).
-- Nothing where the clock went back meanwhile.
local function spend(id, attempt, sign)
  local seconds = math.max(0, attempt.ended - (attempt.begun or attempt.ended))
  local user, share = get(id, 'user'), get(id, 'share')
  if user ~= '' then charge(user, sign * seconds) end
  if user ~= '' and share ~= '' then charge(user .. '/' .. share, sign * seconds) end
  local kwh = sign * (attempt.kwh or 0)
  redis.call('HINCRBYFLOAT', job(id), 'spent_s', stamp(sign * seconds))  -- for a campaign that is lost and comes back
  redis.call('HINCRBYFLOAT', job(id), 'spent_kwh', string.format('%.9f', kwh))
  spend_of_budgets(id, sign * seconds, kwh)
end

-- It has not ended after all.
local function reopen_attempt(id)
  note_attempt(id, function(attempt)
    if attempt.ended then spend(id, attempt, -1) end
    for _, field in ipairs(ENDING) do attempt[field] = nil end
  end)
end

-- What an attempt is known to have drawn, kWh; nil where nobody told.
local function kwh_of(id, token)
  local progress = get(id, 'progress')
  local told = progress ~= '' and cjson.decode(progress) or {}
  return told.kwh_token == token and tonumber(told.attempt_kwh) or nil
end

-- Why it ended, and what followed, which stands on the record already.
local function close_attempt(id, reached, reason, message, counted)
  note_attempt(id, function(attempt)
    attempt.ended, attempt.reason, attempt.counted = tonumber(stamp(now())), reason, counted
    attempt.kwh = kwh_of(id, attempt.token)
    spend(id, attempt, 1)
    -- No character may be cut in two.
    attempt.message = string.sub(message, 1, MESSAGE_KEPT)
    if #message > MESSAGE_KEPT then attempt.message = string.gsub(attempt.message, '[\192-\255][\128-\191]*$', '') .. '...' end
    attempt.iteration, attempt.seq = reached, number_of(id, 'seq')
    attempt.failures, attempt.state = number_of(id, 'failures'), get(id, 'state')
    attempt.not_before = tonumber(get(id, 'not_before'))
  end)
end

local OCCASIONS_KEPT = 5000

-- The job has ended for good: whoever sends notices may tell.
local function note_occasion(occasion)
  redis.call('ZADD', P .. 'occasions', 'NX', stamp(now()), occasion)
  redis.call('ZREMRANGEBYRANK', P .. 'occasions', 0, -OCCASIONS_KEPT - 1)
end

local function note_end(id) note_occasion('ended:' .. id .. ':' .. get(id, 'finished')) end

-- Looked at again by itself and held again for the same, before it got on, is the same occasion.
local function note_held(id, reason) note_occasion('held:' .. id .. ':' .. reason .. ':' .. get(id, 'seq')) end

-- Ends an attempt. `c` says what follows (built from the table of StopReasons in Python): state, requeue,
-- counts, reason, message, text (what the message is where nobody said more); wishes and withdrawn; limit and
-- no_progress; opens, when its window does; exporting and unexported; further; backoff, longest, jitter, later.
local function end_attempt(id, c)
  local state, requeue, reason, message = c.state, c.requeue, c.reason, c.message
  local wish, failures = get(id, 'wish'), tonumber(get(id, 'failures'))
  local reached = number_of(id, 'iteration')
  local open = state == 'queued' or state == 'held' or state == c.withdrawn.state
  local well = requeue == 'front' or state == c.withdrawn.state  -- it ended as somebody asked, and was saved
  local spent, exporting = false, false
  if c.counts then
    failures = get(id, 'seq_token') == get(id, 'token') and 0 or failures + 1
    spent = failures >= c.limit
  end
  if open and wish == 'cancel' and get(id, 'seq') ~= '' then
    if get(id, 'export_only') == '1' and (spent or requeue == 'later') then  -- it was tried
      state, requeue, message = c.wishes.cancel.state, 'never', c.unexported .. ': ' .. message
    else
      exporting = true
    end
  elseif open and (wish == 'cancel' or (wish == 'pause' and not spent)) then
    local wished = c.wishes[wish]
    state, requeue = wished.state, 'never'
    if well then reason, message = wished.reason, wished.text
    else message = wished.text .. '; ' .. message end
  elseif reason == 'rung' and (get(id, 'until') == '' or number_of(id, 'until') > reached or not is_searched(id)) then
    if not is_searched(id) then set(id, 'until', '') end
    state, requeue, message = 'queued', 'front', c.further  -- it may go on, as was decided meanwhile
  elseif spent then
    state, requeue, reason, message = 'failed', 'never', 'no_progress', c.no_progress .. ': ' .. message
  elseif state == c.withdrawn.state and reason ~= 'rung' then
    state, requeue, message = 'queued', 'front', c.withdrawn.text  -- taken back before it came about
  end
  if state ~= 'succeeded' then  -- what no checkpoint holds is trained again
    local saved = get(id, 'saved_iteration')
    set(id, 'iteration', saved == '' and 0 or saved)
  end
  redis.call('ZREM', P .. 'leases', id)
  set(id, 'failures', failures, 'reason', reason, 'message', message, 'wish', '', 'owner', '', 'reaped', '')
  set(id, 'yields_to', '', 'finishing', '')
  if exporting then export_first(id, c.exporting)
  elseif requeue == 'front' and c.opens then
    set(id, 'front', '1')
    wait_until(id, c.opens)
  elseif requeue == 'front' then make_ready(id, '1')
  elseif requeue == 'backoff' and failures == 0 then make_ready(id, '0')  -- it had got on: nothing to wait for
  elseif requeue == 'backoff' then
    local wait = math.min(c.backoff * 2 ^ (failures - 1), c.longest)
    delay(id, state, wait * (0.5 + c.jitter / 2))
  elseif requeue == 'later' then
    delay(id, state, c.later)
    if state == 'held' then note_held(id, reason) end
  else
    park(id, state, c.final[state] == true)
    if c.final[state] then note_end(id) end
  end
  close_attempt(id, reached, c.reason, c.message, c.counts and failures > 0)
end

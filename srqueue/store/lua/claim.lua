-- claim: the best ready job that this worker can run becomes its own, with a token higher by one.
-- reads   ready:<class>:<root>[:<lot>]  lots:*  user:*  usage  quota:running
-- writes  seen  job:<id>  attempts:<id>  state:*  campaign:*  ready:*  bells  leases  running  claim:<claim>
-- ARGV: worker, host, lease (s), id of this claim, offer (JSON), number of classes, class..., root id, path, root id,
-- path...
-- The best is by priority, then who stands at the front; then the user with the fewest jobs that run, and of those
-- with as many who has trained the least lately; then age. Of a user's campaigns that share the same is asked. Who
-- is at his quota is left out, but for what only waits to be cancelled.
-- Jobs whose folder lies under another root are in other ready sets and are not looked at. A new job's folder
-- is to be made under the first root; `bind` says that it was.
-- The same claim once more (its answer was lost) is given the same job.
-- Returns the record as {field, value, ...}, or {} where there is none.
local worker, host, lease, classes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])
local offer = read_offer(ARGV[5])
local paths, roots = {}, {'-'}
local REMEMBERED = 3600  -- s; nobody asks again for so long
local PUT_RIGHT = 100  -- of a call
for i = 7 + classes, #ARGV, 2 do
  paths[ARGV[i]] = ARGV[i + 1]
  table.insert(roots, ARGV[i])
end

local function granted(id)
  local root, record = get(id, 'root_id'), redis.call('HGETALL', job(id))
  if root == '' then root = roots[2] end
  for _, part in ipairs({'root_id', root, 'run_dir', paths[root] .. '/' .. id}) do
    table.insert(record, part)
  end
  return record
end

note(lease)
local given = redis.call('GET', P .. 'claim:' .. ARGV[4])
if given and get(given, 'claim') == ARGV[4] and get(given, 'state') == 'running' then return granted(given) end

-- Whether `a` begins before `b`: {id, score, lot, key} each. Another's turn is only looked at where it matters.
local function is_better(a, b)
  local rank, other = math.floor(a.score / 2 ^ 42), math.floor(b.score / 2 ^ 42)
  if rank ~= other then return rank < other end
  if a.lot ~= b.lot and rank >= 0 then
    local mine, its = turn_of(a.lot), turn_of(b.lot)
    for i = 1, 4 do if mine[i] ~= its[i] then return mine[i] < its[i] end end
  end
  return a.score < b.score or (a.score == b.score and a.id < b.id)
end

local function best_ready()
  local best
  for i = 7, 6 + classes do
    for _, root in ipairs(roots) do
      for _, lot in ipairs(lots_of(ARGV[i], root)) do
        local key = ready_set(ARGV[i], root, lot)
        local head = fits(offer, lot) and redis.call('ZRANGE', key, 0, 0, 'WITHSCORES') or {}
        if fits(offer, lot) and not head[1] and lot ~= '' then  -- the version before has taken the last out
          redis.call('SREM', P .. 'lots:' .. ARGV[i] .. ':' .. root, lot)
        end
        local one = head[1] and {id = head[1], score = tonumber(head[2]), lot = lot, key = key}
        if one and (one.score < 0 or not is_at_its_quota(lot)) and (not best or is_better(one, best)) then best = one end
      end
    end
  end
  return best
end

-- A script of the version before knows no lots: what it left in another set than its own is put right.
local best
for _ = 1, PUT_RIGHT do
  local found = best_ready()
  if not found then return {} end
  local queued = get(found.id, 'state') == 'queued'
  if queued and ready_key(found.id) == found.key then best = found.id break end
  redis.call('ZREM', found.key, found.id)
  if queued then put_in(found.id) end
end
if not best then return {} end

local at = now()
unqueue(best)
move(best, 'running')
local root, wish = get(best, 'root_id'), get(best, 'wish')
local since = tonumber(get(best, 'yielded_at'))
if since then  -- what it waited for its user's sake
  redis.call('HINCRBYFLOAT', job(best), 'yielded_s', stamp(math.max(0, at - since)))
  set(best, 'yielded_at', '')
end
if root ~= '' then set(best, 'run_dir', paths[root] .. '/' .. best) end  -- mounted elsewhere, maybe
set(best, 'owner', worker, 'host', host, 'claim', ARGV[4], 'claimed', stamp(at), 'front', '0', 'reason', '', 'message', '',
  'reaped', '', 'machine', '', 'export_only', (wish == 'cancel' or wish == 'finish') and '1' or '')
-- What it had reached when it last ended (at a rung, at a budget) is not what it reaches now.
if wish ~= 'cancel' and wish ~= 'finish' then redis.call('HDEL', job(best), 'metrics') end
redis.call('HSETNX', job(best), 'started', stamp(at))
redis.call('HINCRBY', job(best), 'attempts', 1)
redis.call('HINCRBY', job(best), 'token', 1)
redis.call('SET', P .. 'claim:' .. ARGV[4], best, 'EX', REMEMBERED)
hold(best, lease)
begin_attempt(best)
return granted(best)

-- claim: the best ready job that this worker can run becomes its own, with a token higher by one.
-- reads   ready:<class>:<root>
-- writes  seen  job:<id>  attempts:<id>  state:*  campaign:*  ready:*  bells  leases  running  claim:<claim>
-- ARGV: worker, host, lease (s), id of this claim, number of classes, class..., root id, path, root id, path...
-- Jobs whose folder lies under another root are in other ready sets and are not looked at. A new job's folder
-- is to be made under the first root; `bind` says that it was.
-- The same claim once more (its answer was lost) is given the same job.
-- Returns the record as {field, value, ...}, or {} where there is none.
local worker, host, lease, classes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local paths, roots = {}, {'-'}
local REMEMBERED = 3600  -- s; nobody asks again for so long
for i = 6 + classes, #ARGV, 2 do
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

local best, score
for i = 6, 5 + classes do
  for _, root in ipairs(roots) do
    local head = redis.call('ZRANGE', P .. 'ready:' .. ARGV[i] .. ':' .. root, 0, 0, 'WITHSCORES')
    local its = tonumber(head[2])
    if head[1] and (not best or its < score or (its == score and head[1] < best)) then
      best, score = head[1], its
    end
  end
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

-- claim: the best ready job that this worker can run becomes its own, with a token higher by one.
-- reads   ready:<class>:<root>
-- writes  job:<id>  state:*  ready:*  bells  leases
-- ARGV: worker, host, lease (s), number of classes, class..., root id, path, root id, path...
-- Jobs whose folder lies under another root are in other ready sets and are not looked at.
-- Returns the record as {field, value, ...}, or {} where there is none.
local worker, host, lease, classes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local paths, roots = {}, {'-'}
for i = 5 + classes, #ARGV, 2 do
  paths[ARGV[i]] = ARGV[i + 1]
  table.insert(roots, ARGV[i])
end

local best, score
for i = 5, 4 + classes do
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
local root = get(best, 'root_id')
if root == '' then root = roots[2] end
set(best, 'owner', worker, 'host', host, 'root_id', root, 'run_dir', paths[root] .. '/' .. best, 'front', '0',
  'wish', '', 'reason', '', 'message', '', 'reaped', '', 'claim_seq', get(best, 'seq'))
redis.call('HSETNX', job(best), 'started', stamp(at))
redis.call('HINCRBY', job(best), 'attempts', 1)
redis.call('HINCRBY', job(best), 'token', 1)
redis.call('ZADD', P .. 'leases', stamp(at + lease), best)
return redis.call('HGETALL', job(best))

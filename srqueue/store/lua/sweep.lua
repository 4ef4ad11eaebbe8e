-- sweep: what time alone changes. Leases that ran out end their attempt; delayed jobs become ready; ready
-- jobs for which nobody was woken are named.
-- writes  job:<id>  leases  state:*  ready:*  delayed  bells
-- ARGV: consequence of a lost worker (JSON, see end_attempt), '1' where leases may be ended, most ids a part
-- Returns {id, device class, priority, ...} to ring for.
local c, expire, most = cjson.decode(ARGV[1]), ARGV[2] == '1', ARGV[3]
local at = stamp(now())

local function due(set_name) return redis.call('ZRANGEBYSCORE', P .. set_name, '-inf', at, 'LIMIT', 0, most) end

if expire then
  for _, id in ipairs(due('leases')) do
    local before = get(id, 'failures')
    c.jitter = (c.jitter + 0.618034) % 1
    set(id, 'last_owner', get(id, 'owner'))
    end_attempt(id, c)
    set(id, 'reaped', before)
  end
end
for _, id in ipairs(due('delayed')) do
  make_ready(id, '0')
  redis.call('ZADD', P .. 'bells', at, id)
end
local bells = {}
for _, id in ipairs(due('bells')) do
  redis.call('ZADD', P .. 'bells', stamp(now() + RING_AGAIN), id)
  table.insert(bells, id)
  table.insert(bells, get(id, 'device_class'))
  table.insert(bells, get(id, 'priority'))
end
return bells

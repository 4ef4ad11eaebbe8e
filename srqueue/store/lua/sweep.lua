-- sweep: what time alone changes. Leases that ran out end their attempt; delayed jobs become ready; ready
-- jobs for which nobody was woken are named. What lies further ahead than it can was written before the
-- clock of Redis went back: it is drawn nearer, so that nothing waits for the clock to catch up.
-- writes  seen  job:<id>  attempts:<id>  leases  state:*  ready:*  delayed  opening  bells
-- ARGV: consequence of a lost worker (JSON, see end_attempt), lease (s), most ids a part
-- Returns {id, device class, ...} to ring for.
local c, lease, most = cjson.decode(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
note(lease)
local at = stamp(now())

local function due(set_name) return redis.call('ZRANGEBYSCORE', P .. set_name, '-inf', at, 'LIMIT', 0, most) end

local function beyond(set_name, seconds)
  return redis.call('ZRANGEBYSCORE', P .. set_name, '(' .. stamp(now() + seconds), '+inf', 'LIMIT', 0, most)
end

for _, id in ipairs(beyond('leases', lease)) do
  local own = tonumber(get(id, 'lease')) or lease
  redis.call('ZADD', P .. 'leases', 'XX', 'LT', stamp(now() + own), id)
end
local longest = math.max(c.longest, c.later)
for _, id in ipairs(beyond('delayed', longest)) do
  redis.call('ZADD', P .. 'delayed', stamp(now() + longest), id)
  set(id, 'not_before', stamp(now() + longest))
end
for _, id in ipairs(beyond('bells', RING_AGAIN)) do
  redis.call('ZADD', P .. 'bells', at, id)
end

for _, id in ipairs(due('leases')) do
  local before = get(id, 'failures')
  c.jitter = (c.jitter + 0.618034) % 1
  set(id, 'last_owner', get(id, 'owner'))
  end_attempt(id, c)
  set(id, 'reaped', before)
  redis.call('ZADD', P .. 'bells', 'XX', at, id)
end
for _, id in ipairs(due('delayed')) do
  make_ready(id, '0')
  redis.call('ZADD', P .. 'bells', at, id)
end
for _, id in ipairs(due('opening')) do
  make_ready(id, get(id, 'front') == '1' and '1' or '0')
  redis.call('ZADD', P .. 'bells', at, id)
end
-- What a script of the version before moved is not counted for its user any more, little by little.
local user = redis.call('SRANDMEMBER', P .. 'users')
for _, what in ipairs(user and {'running', 'waiting'} or {}) do
  local own = P .. 'user:' .. user .. ':' .. what
  for _, id in ipairs(redis.call('SRANDMEMBER', own, 5)) do
    local state = get(id, 'state')
    if (what == 'running') ~= (state == 'running') or (what == 'waiting') ~= (WAITS[state] == true) then
      redis.call('SREM', own, id)
    end
  end
end
local bells = {}
for _, id in ipairs(due('bells')) do
  redis.call('ZADD', P .. 'bells', stamp(now() + RING_AGAIN), id)
  table.insert(bells, id)
  table.insert(bells, get(id, 'device_class'))
end
return bells

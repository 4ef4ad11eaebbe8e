-- preempt: a ready job that nobody takes asks the least important running one to give way to it.
-- reads   workers  worker:<name>  leases  ready:<class>:<root>[:<lot>]  lots:*  user:*  quota:running
-- writes  job:<id>  running  yielding  looked
-- ARGV: seconds a job is ready before it asks, seconds an attempt runs before it may be asked, times a job gives
-- way at most, jobs of each ready set to look at
-- Who can be asked: a running job of a strictly lower priority, without a wish, on a worker that may claim the
-- ready one. Of these the one of the lowest priority; among equals the one that was claimed last, for the
-- older ones are nearer to their ends, and to be loaded again costs all of them the same.
-- The running jobs are looked at only while a job above the lowest of them may ask.
-- A look takes some microseconds a worker. Where there are many it is done once in so many milliseconds as there are
-- workers, whoever calls: each of a thousand sweepers would otherwise look at all thousand of them.
-- Returns {ready id, id that it asked, ...}.
local wait, least, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local IDLE = 60  -- s; for so long a worker with a free slot is expected to take the job. Then it seems unable to
local LOOKED_AT = 1000  -- running jobs, the lowest
local FEW = 20  -- workers
local at = now()

local known = redis.call('ZCARD', P .. 'workers')
if known > FEW and not redis.call('SET', P .. 'looked', '1', 'NX', 'PX', known) then return {} end

-- A time on a record. Where there is none (the record was restored) or one to come (the clock went back), it
-- is now.
local function up_to_now(id, field)
  local time = tonumber(get(id, field))
  if time and time <= at then return time end
  set(id, field, stamp(at))
  return at
end

local workers = going_on()

local ready, seen = {}, {}
for _, worker in pairs(workers) do
  for class in pairs(worker.classes) do
    for _, root in ipairs({'-', worker.root, worker.remote}) do
      for _, lot in ipairs(seen[class .. ':' .. root] and {} or lots_of(class, root)) do
        local key = ready_set(class, root, lot)
        local heads = is_at_its_quota(lot) and {} or redis.call('ZRANGE', key, 0, ARGV[4] - 1, 'WITHSCORES')
        for i = 1, #heads, 2 do table.insert(ready, {id = heads[i], score = tonumber(heads[i + 1])}) end
      end
      seen[class .. ':' .. root] = true
    end
  end
end
table.sort(ready, function(a, b) return a.score < b.score or (a.score == b.score and a.id < b.id) end)

-- Whether the attempt that `id` asked has still to end, whoever wishes it by now.
local function is_waited_for(asked)
  local victim, claim = string.match(asked, '^(%S+) (%S*)$')  -- the record of a restored job knows no claim
  return get(victim, 'state') == 'running' and get(victim, 'claim') == claim and get(victim, 'wish') ~= ''
end

local function can_run(worker, id)
  local class, root, lot = shelf(id)
  return reaches(worker, class, root) and fits(worker.offer, lot)
end

-- Since when `id` is ready, where it has been for long enough to ask. One whose asked job has just ended waits
-- anew: a worker is about to take it.
local function ready_since(id)
  local asked = get(id, 'asked')
  if get(id, 'state') ~= 'queued' or get(id, 'wish') ~= '' or (asked ~= '' and is_waited_for(asked)) then return nil end
  if asked ~= '' then set(id, 'asked', '', 'asked_until', stamp(at)) end
  local since = up_to_now(id, 'updated')
  local ended = get(id, 'asked_until') == '' and since or up_to_now(id, 'asked_until')
  return at - math.max(since, ended) >= wait and since or nil
end

local function is_expected_to_be_taken(id, since)
  for _, worker in pairs(workers) do
    if worker.free > 0 and can_run(worker, id) and at - since < IDLE then return true end
  end
  return false
end

for _, id in ipairs(redis.call('SMEMBERS', P .. 'yielding')) do
  give_way_only_for_better(id)
  if get(id, 'wish') ~= 'preempt' then redis.call('SREM', P .. 'yielding', id) end
end

-- Jobs that an older version claimed are not in `running` yet, nor those of an older `running` that was brought back.
if redis.call('ZCARD', P .. 'running') ~= redis.call('ZCARD', P .. 'leases') then
  redis.call('DEL', P .. 'running')
  for _, id in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
    redis.call('ZADD', P .. 'running', get(id, 'priority'), id)
  end
end

local lowest = tonumber(redis.call('ZRANGE', P .. 'running', 0, 0, 'WITHSCORES')[2])
local askers, worth_it = {}, false
for _, waiting in ipairs(ready) do
  local since, priority = ready_since(waiting.id), tonumber(get(waiting.id, 'priority'))
  if since then
    table.insert(askers, {id = waiting.id, since = since, priority = priority})
    worth_it = worth_it or (lowest and priority > lowest)
  end
end
if not worth_it then return {} end

local running = {}
for _, id in ipairs(redis.call('ZRANGE', P .. 'running', 0, LOOKED_AT - 1)) do
  local owner = get(id, 'owner')  -- <worker>:<process id>
  local worker = workers[string.match(owner, '^(.*):%d+$') or owner]
  if worker then
    worker.free = worker.free - 1
    local claimed = tonumber(get(id, 'claimed'))
    local since = claimed and claimed <= at and claimed or up_to_now(id, 'runs_from')
    if get(id, 'wish') == '' and get(id, 'export_only') ~= '1'
      and tonumber(redis.call('ZSCORE', P .. 'leases', id) or 0) > at
      and at - since >= least and (tonumber(get(id, 'preemptions')) or 0) < budget then
      table.insert(running, {id = id, worker = worker, priority = tonumber(get(id, 'priority')), since = since})
    end
  end
end

local asks = {}
for _, asker in ipairs(askers) do
  local id, chosen = asker.id, nil
  if not is_expected_to_be_taken(id, asker.since) then
    for i, r in ipairs(running) do
      local best = running[chosen]
      if r.priority < asker.priority and can_run(r.worker, id) and (not best or r.priority < best.priority
        or (r.priority == best.priority and r.since > best.since)) then chosen = i end
    end
  end
  if chosen then
    local victim = table.remove(running, chosen).id
    local title = get(id, 'name') .. ' ' .. string.lower(string.sub(id, -6))
    set(victim, 'wish', 'preempt', 'preempted_by', id, 'updated', stamp(at),
      'yields_to', title .. ' (priority ' .. get(id, 'priority') .. ')')
    redis.call('SADD', P .. 'yielding', victim)
    set(id, 'asked', victim .. ' ' .. get(victim, 'claim'))
    table.insert(asks, id)
    table.insert(asks, victim)
  end
end
return asks

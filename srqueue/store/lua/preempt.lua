-- preempt: a ready job that nobody takes asks the least important running one to give way to it.
-- reads   workers  worker:<name>  leases  ready:<class>:<root>
-- writes  job:<id>
-- ARGV: seconds a job is ready before it asks, seconds an attempt runs before it may be asked, times a job gives
-- way at most, jobs of each ready set to look at
-- Who can be asked: a running job of a strictly lower priority, without a wish, on a worker that may claim the
-- ready one. Of these the one of the lowest priority; among equals the one that was claimed last, for the
-- older ones are nearer to their ends, and to be loaded again costs all of them the same.
-- Returns {ready id, id that it asked, ...}.
local wait, least, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local IDLE = 60  -- s; for so long an idle worker is expected to take the job. Then it seems unable to
local at = now()

-- A time on a record. Where there is none (the record was restored) or one to come (the clock went back), it
-- is now.
local function up_to_now(id, field)
  local time = tonumber(get(id, field))
  if time and time <= at then return time end
  set(id, field, stamp(at))
  return at
end

local workers = {}  -- those that go on taking jobs, by name
for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', stamp(at), '+inf')) do
  local known = redis.call('HMGET', P .. 'worker:' .. name, 'classes', 'root_id', 'draining')
  if known[1] and (known[3] or '') == '' then
    workers[name] = {classes = {}, root = known[2] or '', idle = true}
    for class in string.gmatch(known[1], '[^,]+') do workers[name].classes[class] = true end
  end
end

local running = {}
local leases = redis.call('ZRANGE', P .. 'leases', 0, -1, 'WITHSCORES')
for i = 1, #leases, 2 do
  local id = leases[i]
  give_way_only_for_better(id)
  local owner = get(id, 'owner')  -- <worker>:<process id>
  local worker = workers[string.match(owner, '^(.*):%d+$') or owner]
  if worker then
    worker.idle = false
    local claimed = tonumber(get(id, 'claimed'))
    local since = claimed and claimed <= at and claimed or up_to_now(id, 'runs_from')
    if get(id, 'wish') == '' and get(id, 'export_only') ~= '1' and tonumber(leases[i + 1]) > at
      and at - since >= least and (tonumber(get(id, 'preemptions')) or 0) < budget then
      table.insert(running, {id = id, worker = worker, priority = tonumber(get(id, 'priority')), since = since})
    end
  end
end

local ready, seen = {}, {}
for _, worker in pairs(workers) do
  for class in pairs(worker.classes) do
    for _, root in ipairs({'-', worker.root}) do
      local key = P .. 'ready:' .. class .. ':' .. root
      local heads = seen[key] and {} or redis.call('ZRANGE', key, 0, ARGV[4] - 1, 'WITHSCORES')
      seen[key] = true
      for i = 1, #heads, 2 do table.insert(ready, {id = heads[i], score = tonumber(heads[i + 1])}) end
    end
  end
end
table.sort(ready, function(a, b) return a.score < b.score or (a.score == b.score and a.id < b.id) end)

-- Whether the attempt that `id` asked has still to end, whoever wishes it by now.
local function is_waited_for(asked)
  local victim, claim = string.match(asked, '^(%S+) (%S+)$')
  return get(victim, 'state') == 'running' and get(victim, 'claim') == claim and get(victim, 'wish') ~= ''
end

local function can_run(worker, id)
  local root = get(id, 'root_id')
  return worker.classes[get(id, 'device_class')] and (root == '' or root == worker.root)
end

-- Whether `id` has been ready for long enough. One whose asked job has just ended waits anew: a worker is
-- about to take it.
local function asks_now(id)
  local asked = get(id, 'asked')
  if get(id, 'state') ~= 'queued' or get(id, 'wish') ~= '' or (asked ~= '' and is_waited_for(asked)) then return false end
  if asked ~= '' then set(id, 'asked', '', 'asked_until', stamp(at)) end
  local since = up_to_now(id, 'updated')
  for _, worker in pairs(workers) do
    if worker.idle and can_run(worker, id) and at - since < IDLE then return false end
  end
  local ended = get(id, 'asked_until') == '' and since or up_to_now(id, 'asked_until')
  return at - math.max(since, ended) >= wait
end

local asks = {}
for _, waiting in ipairs(ready) do
  local id, chosen = waiting.id, nil
  if asks_now(id) then
    local priority = tonumber(get(id, 'priority'))
    for i, r in ipairs(running) do
      local best = running[chosen]
      if r.priority < priority and can_run(r.worker, id) and (not best or r.priority < best.priority
        or (r.priority == best.priority and r.since > best.since)) then chosen = i end
    end
  end
  if chosen then
    local victim = table.remove(running, chosen).id
    local title = get(id, 'name') .. ' ' .. string.lower(string.sub(id, -6))
    set(victim, 'wish', 'preempt', 'preempted_by', id, 'updated', stamp(at),
      'yields_to', title .. ' (priority ' .. get(id, 'priority') .. ')')
    set(id, 'asked', victim .. ' ' .. get(victim, 'claim'))
    table.insert(asks, id)
    table.insert(asks, victim)
  end
end
return asks

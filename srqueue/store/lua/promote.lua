-- promote: jobs that wait at a rung of a campaign's search, or were stopped there, go on, the first first, while
-- fewer than `most` of its jobs wait or run.
-- writes  job:<id>  state:*  campaign:*  ready:*  bells
-- ARGV: name, most ('' any number), then id, rung to train to ('' to its end), ...
-- Returns {id, device class, ...} to ring for.
local name, bells = ARGV[1], {}
if redis.call('HGET', campaign_key(name, 'record'), 'state') ~= 'active' then return bells end
local room = (#ARGV - 2) / 2
if ARGV[2] ~= '' then
  local active = redis.call('ZCARD', campaign_key(name, 'queued')) + redis.call('ZCARD', campaign_key(name, 'running'))
  room = math.min(room, tonumber(ARGV[2]) - active)
end
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  if room < 1 then return bells end
  local waits = get(id, 'state') == 'paused' and get(id, 'reason') == 'rung'
  local before = get(id, 'until')  -- none: recovered by an older version
  if waits and stage_of(id, name) and (before == '' or before ~= ARGV[i + 1]) then
    set(id, 'until', ARGV[i + 1], 'reason', '', 'message', '')
    make_ready(id, '0')
    table.insert(bells, id)
    table.insert(bells, get(id, 'device_class'))
    room = room - 1
  end
end
return bells

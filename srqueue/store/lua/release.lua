-- release: held cells of a campaign that may begin are queued, the first first, while fewer than `most` of its jobs
-- wait or run.
-- writes  job:<id>  state:*  campaign:*  ready:*  opening  bells
-- ARGV: name, most ('' any number), most a call
-- Returns {id, device class, ...} to ring for.
local name, bells = ARGV[1], {}
if redis.call('HGET', campaign_key(name, 'record'), 'state') ~= 'active' then return bells end
local room = tonumber(ARGV[3])
if ARGV[2] ~= '' then
  local active = redis.call('ZCARD', campaign_key(name, 'queued')) + redis.call('ZCARD', campaign_key(name, 'running'))
  room = math.min(room, tonumber(ARGV[2]) - active)
end
if room < 1 then return bells end
for _, id in ipairs(redis.call('ZRANGE', campaign_key(name, 'free'), 0, room - 1)) do
  local opens = get(id, 'opens')  -- of its window, as it was when it was submitted
  if opens ~= '' and tonumber(opens) > now() then
    set(id, 'message', 'its window is closed')
    wait_until(id, opens)
  else
    set(id, 'message', '')
    make_ready(id, '0')
    table.insert(bells, id)
    table.insert(bells, get(id, 'device_class'))
  end
end
return bells

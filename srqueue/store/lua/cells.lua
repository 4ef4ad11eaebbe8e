-- cells: what a campaign's file says of its cells. First that it is said anew, then the cells, then that it is all.
-- writes  campaign:<name>:{cells, won, stopped, open:<stage>}
-- ARGV: name, 'begin' | 'more' | 'end', number of stages, stage..., then id, {stage, axes} as JSON, id, ...
local name, what, stages = ARGV[1], ARGV[2], tonumber(ARGV[3])
if what == 'begin' then
  redis.call('DEL', campaign_key(name, 'cells'), campaign_key(name, 'won'))
  for i = 4, 3 + stages do redis.call('DEL', campaign_key(name, 'open:' .. ARGV[i])) end
end
for i = 4 + stages, #ARGV, 2 do
  local id, state = ARGV[i], get(ARGV[i], 'state')
  if state ~= '' then
    local stage = cjson.decode(ARGV[i + 1]).stage
    redis.call('HSET', campaign_key(name, 'cells'), id, ARGV[i + 1])
    if get(id, 'stopped') ~= '' then redis.call('SADD', campaign_key(name, 'stopped'), id)
    elseif not FINAL[state] then redis.call('SADD', campaign_key(name, 'open:' .. stage), id) end
    if state == 'succeeded' then redis.call('HINCRBY', campaign_key(name, 'won'), stage, 1) end
  end
end
-- Only now it is known which stages have ended: one look for all who wait, not one for each cell.
if what == 'end' then
  for i = 4, 3 + stages do
    if redis.call('SCARD', campaign_key(name, 'open:' .. ARGV[i])) == 0 then wake_followers(name .. '/' .. ARGV[i]) end
  end
end
return {}

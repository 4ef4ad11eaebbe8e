-- cells: what a campaign's file says of its cells; the first call forgets what it said before.
-- writes  campaign:<name>:{cells, won, open:<stage>}
-- ARGV: name, '1' for the first call, number of stages, stage..., then id, {stage, axes} as JSON, id, ...
local name, stages = ARGV[1], tonumber(ARGV[3])
if ARGV[2] == '1' then
  redis.call('DEL', campaign_key(name, 'cells'), campaign_key(name, 'won'))
  for i = 4, 3 + stages do redis.call('DEL', campaign_key(name, 'open:' .. ARGV[i])) end
end
for i = 4 + stages, #ARGV, 2 do
  local id, state = ARGV[i], get(ARGV[i], 'state')
  if state ~= '' then
    redis.call('HSET', campaign_key(name, 'cells'), id, ARGV[i + 1])
    count_end(id, name, cjson.decode(ARGV[i + 1]).stage, state)
  end
end
return {}

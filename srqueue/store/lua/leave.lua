-- leave: jobs are of a campaign no more.
-- writes  job:<id>  campaign:*  campaigns
-- ARGV: name, id...
local name = ARGV[1]
for i = 2, #ARGV do
  local id, others = ARGV[i], {}
  if redis.call('ZREM', campaign_key(name), id) == 1 then
    redis.call('ZREM', campaign_key(name, get(id, 'state')), id)
    redis.call('ZINCRBY', P .. 'campaigns', -1, name)
    for other in campaigns(id) do if other ~= name then table.insert(others, other) end end
    set(id, 'campaigns', table.concat(others, ','))
  end
  redis.call('HDEL', campaign_key(name, 'cells'), id)
  redis.call('SREM', campaign_key(name, 'stopped'), id)
end
redis.call('ZREMRANGEBYSCORE', P .. 'campaigns', '-inf', 0)
return {}

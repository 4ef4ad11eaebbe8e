-- remove: the record and everything that names it, unless it runs.
-- deletes  job:<id>  followers:<id>  rungs:<id>  events:<id>  attempts:<id>  log:<id>  pictures:<id>  scores:<id>
--          claim:<claim>; from  jobs  state:*  name:<name>  names  pictures  spec:<spec_id>  suffixes  campaign:*
--          campaigns  ready:*  delayed  bells
-- ARGV: id   Returns {'ok'|'refused'|'gone', state}.
local id, state = ARGV[1], get(ARGV[1], 'state')
if state == '' then return {'gone'} end
if state == 'running' then return {'refused', state} end
local name = get(id, 'name')
unqueue(id)
count_for_user(id, '')
redis.call('ZREM', P .. 'jobs', id)
redis.call('ZREM', P .. 'state:' .. state, id)
redis.call('ZREM', P .. 'spec:' .. get(id, 'spec_id'), id)
redis.call('ZREM', P .. 'name:' .. name, id)
redis.call('ZINCRBY', P .. 'names', -1, name)
redis.call('ZREMRANGEBYSCORE', P .. 'names', '-inf', 0)
redis.call('ZREM', P .. 'suffixes', string.reverse(id))
for campaign in campaigns(id) do
  redis.call('ZREM', campaign_key(campaign), id)
  redis.call('ZREM', campaign_key(campaign, state), id)
  local stage = stage_of(id, campaign)
  redis.call('SREM', campaign_key(campaign, 'stopped'), id)
  if stage then
    redis.call('SREM', campaign_key(campaign, 'open:' .. stage), id)
    if redis.call('SCARD', campaign_key(campaign, 'open:' .. stage)) == 0 then wake_followers(campaign .. '/' .. stage) end
    redis.call('HDEL', campaign_key(campaign, 'cells'), id)
  end
  note_moved(campaign)
  redis.call('ZINCRBY', P .. 'campaigns', -1, campaign)
end
redis.call('ZREMRANGEBYSCORE', P .. 'campaigns', '-inf', 0)
redis.call('DEL', P .. 'claim:' .. get(id, 'claim'))
redis.call('ZREM', P .. 'pictures', id)
redis.call('ZREM', P .. 'logs', id)
wake_followers(id)
redis.call('DEL', P .. 'followers:' .. id, P .. 'rungs:' .. id, job(id), P .. 'events:' .. id, attempts(id))
redis.call('DEL', P .. 'log:' .. id, P .. 'pictures:' .. id, P .. 'scores:' .. id)
return {'ok', state}

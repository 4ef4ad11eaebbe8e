-- set_campaign: fields of a campaign's record; nothing where it was removed meanwhile: half a record is none.
-- writes  campaign:<name>:record  campaigns-open
-- ARGV: name, state ('' stays), field, value, ...
local name, state = ARGV[1], ARGV[2]
local record = campaign_key(name, 'record')
if redis.call('EXISTS', record) == 0 then return {} end
redis.call('HSET', record, unpack(ARGV, 3))
if state == 'active' then redis.call('HDEL', record, 'told') end
if state == 'ended' then redis.call('SREM', P .. 'campaigns-open', name)
elseif state ~= '' then redis.call('SADD', P .. 'campaigns-open', name) end
return {}

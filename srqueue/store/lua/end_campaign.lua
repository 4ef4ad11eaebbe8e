-- end_campaign: all cells of a campaign have ended; who notes it first is the one to tell.
-- writes  campaign:<name>:record  campaigns-open  occasions
-- ARGV: name   Returns {1 for the first, else 0}.
local name, at = ARGV[1], stamp(now())
if redis.call('SREM', P .. 'campaigns-open', name) == 0 then return {0} end
redis.call('HSET', campaign_key(name, 'record'), 'state', 'ended', 'ended', at, 'updated', at)
note_occasion('campaign:' .. name .. ':' .. at)
return {1}

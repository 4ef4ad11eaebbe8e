-- end_campaign: all cells of a campaign have ended; who notes it first is the one to tell.
-- writes  campaign:<name>:record  campaigns-open  occasions
-- ARGV: name   Returns {1 for the first, else 0}.
local name, at, undone = ARGV[1], stamp(now()), 0
for _, state in ipairs({'held', 'queued', 'running', 'paused'}) do
  undone = undone + redis.call('ZCARD', campaign_key(name, state))
end
-- One that was drawn since somebody looked is not left behind.
if undone > redis.call('SCARD', campaign_key(name, 'stopped')) then return {0} end
if redis.call('SREM', P .. 'campaigns-open', name) == 0 then return {0} end
redis.call('HSET', campaign_key(name, 'record'), 'state', 'ended', 'ended', at, 'updated', at)
note_occasion('campaign:' .. name .. ':' .. at)
return {1}

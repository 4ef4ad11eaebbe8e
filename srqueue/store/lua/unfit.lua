-- unfit: a trial that was drawn for a stage becomes no cell: a search looks anew, and whoever waits for the stage
-- is looked at where nothing of it goes on.
-- writes  campaign:<name>:{unfit, record, due}
-- ARGV: name, stage, number, {axes, why} as JSON
local name, stage = ARGV[1], ARGV[2]
redis.call('HSET', campaign_key(name, 'unfit'), stage .. '/' .. ARGV[3], ARGV[4])
note_moved(name)
if redis.call('SCARD', campaign_key(name, 'open:' .. stage)) == 0 then wake_followers(name .. '/' .. stage) end
return {}

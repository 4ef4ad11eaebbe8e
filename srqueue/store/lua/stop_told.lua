-- stop_told: a campaign was stopped, or waits in vain, and nothing of it runs; who notes it first is the one to tell.
-- writes  campaign:<name>:record  occasions
-- ARGV: name   Returns {1 for the first, else 0}.
local record = campaign_key(ARGV[1], 'record')
local still = redis.call('HGET', record, 'state') == 'stopped' or redis.call('HGET', record, 'vain') == '1'
if not still or redis.call('HSETNX', record, 'told', '1') == 0 then return {0} end
note_occasion('campaign:' .. ARGV[1] .. ':' .. stamp(now()))
return {1}

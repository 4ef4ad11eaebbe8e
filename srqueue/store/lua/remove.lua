-- remove: the record and everything that names it, unless it runs.
-- deletes  job:<id>  events:<id>  attempts:<id>; from  jobs  state:*  name:<name>  names  spec:<spec_id>  suffixes  ready:*
--          delayed  bells
-- ARGV: id   Returns {'ok'|'refused'|'gone', state}.
local id, state = ARGV[1], get(ARGV[1], 'state')
if state == '' then return {'gone'} end
if state == 'running' then return {'refused', state} end
local name = get(id, 'name')
unqueue(id)
redis.call('ZREM', P .. 'jobs', id)
redis.call('ZREM', P .. 'state:' .. state, id)
redis.call('ZREM', P .. 'spec:' .. get(id, 'spec_id'), id)
redis.call('ZREM', P .. 'name:' .. name, id)
redis.call('ZINCRBY', P .. 'names', -1, name)
redis.call('ZREMRANGEBYSCORE', P .. 'names', '-inf', 0)
redis.call('ZREM', P .. 'suffixes', string.reverse(id))
redis.call('DEL', job(id), P .. 'events:' .. id, attempts(id))
return {'ok', state}

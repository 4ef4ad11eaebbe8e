-- create: a new job, or the id of one that has or had the same spec.
-- writes  job:<id>  jobs  state:queued  name:<name>  names  spec:<spec_id>  suffixes  ready:*  bells
-- ARGV: id, spec_id, again ('1'), field, value, ...   Returns {id, created 0|1}.
local id, spec_id, again = ARGV[1], ARGV[2], ARGV[3] == '1'
if redis.call('EXISTS', job(id)) == 1 then return {id, 1} end  -- the same call once more
if not again then
  for _, other in ipairs(redis.call('ZREVRANGE', P .. 'spec:' .. spec_id, 0, -1)) do
    local state = get(other, 'state')
    if state ~= 'failed' and state ~= 'cancelled' and get(other, 'wish') ~= 'cancel' then return {other, 0} end
  end
end
local at = stamp(now())
set(id, 'id', id, 'spec_id', spec_id, 'created', at, 'token', 0, 'attempts', 0, 'failures', 0, unpack(ARGV, 4))
register(id)
make_ready(id, '0')
return {id, 1}

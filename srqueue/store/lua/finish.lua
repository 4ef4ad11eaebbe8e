-- finish: the attempt ended, and its owner says why. Said twice it counts once.
-- writes  job:<id>  attempts:<id>  leases  state:*  ready:*  delayed  bells
-- ARGV: id, token, consequence (JSON, see end_attempt), iteration ('' unknown), seq (''), metrics (JSON, '')
-- Returns {standing, record as {field, value, ...}}.
local id, token, c = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local how = standing(id, token)
if how == 'lost' and get(id, 'ended') == token then return {'ok', redis.call('HGETALL', job(id))} end
if how ~= 'ok' and how ~= 'reaped' then return {how} end
if how == 'reaped' then
  set(id, 'failures', get(id, 'reaped'))
  move(id, 'running')
  reopen_attempt(id)
end
if ARGV[4] ~= '' then set(id, 'iteration', ARGV[4]) end
-- Only a higher seq than any is surely of this attempt: the outcome of one that saved nothing names its parent's.
if ARGV[5] ~= '' and tonumber(ARGV[5]) > (tonumber(get(id, 'seq')) or -1) then
  set_published(id, token, ARGV[5], ARGV[4])
end
if ARGV[6] ~= '' then set(id, 'metrics', ARGV[6]) end
local gives_way = c.reason == 'preempted' and get(id, 'yields_to') ~= ''
if gives_way then
  c.message = 'gave way to ' .. get(id, 'yields_to') .. (c.message == c.text and '' or '; ' .. c.message)
end
if c.reason == 'budget_spent' and get(id, 'finishing') ~= '' and c.message == c.text then c.message = get(id, 'finishing') end
end_attempt(id, c)
if get(id, 'reason') == 'yielded' then
  redis.call('HINCRBY', job(id), 'yields', 1)
  set(id, 'yielded_at', stamp(now()))
end
if get(id, 'reason') == 'preempted' then redis.call('HINCRBY', job(id), 'preemptions', 1) end
set(id, 'ended', token)
return {'ok', redis.call('HGETALL', job(id))}

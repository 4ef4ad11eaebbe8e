-- admit: held cells were looked at: what they wait for has ended, or why they are held still. Where others were woken
-- since, what was read may be old: who may not begin is looked at again.
-- writes  campaign:<name>:{due, free}  job:<id>
-- ARGV: name, `woken` as it was before anything was read, then for each: id, '1' where it may begin, message
local name = ARGV[1]
local woken = redis.call('HGET', campaign_key(name, 'record'), 'woken') or ''
for i = 3, #ARGV, 3 do
  local id, may = ARGV[i], ARGV[i + 1] == '1'
  if may or woken == ARGV[2] then redis.call('SREM', campaign_key(name, 'due'), id) end
  if get(id, 'held_by') == name and get(id, 'state') == 'held' then
    set(id, 'message', ARGV[i + 2])
    if may then redis.call('ZADD', campaign_key(name, 'free'), get(id, 'created'), id) end
  end
end
return {}

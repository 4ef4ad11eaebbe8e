-- admit: a held cell was looked at: what it waits for has ended, or why it is held still.
-- writes  campaign:<name>:{due, free}  job:<id>
-- ARGV: name, then for each: id, '1' where it may begin, message
local name = ARGV[1]
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  redis.call('SREM', campaign_key(name, 'due'), id)
  if get(id, 'held_by') == name and get(id, 'state') == 'held' then
    set(id, 'message', ARGV[i + 2])
    if ARGV[i + 1] == '1' then redis.call('ZADD', campaign_key(name, 'free'), get(id, 'created'), id) end
  end
end
return {}

end

-- Stands behind every script: runs it, and notes it where it is the act of a user (NOTE, see audit.py).
-- writes  audit
local function result_of(answer)
  if type(answer) ~= 'table' then return 'ok' end
  if answer[1] == 'refused' then return 'refused: it is ' .. tostring(answer[2] or '') end
  if answer[1] == 'over' then return 'refused: the quota of ' .. answer[2] .. ' is ' .. answer[3] end
  if type(answer[2]) ~= 'number' then return 'ok' end
  local new = 0  -- of create: id, 1 or 0, ...
  for i = 2, #answer, 2 do new = new + answer[i] end
  return new .. ' new of ' .. #answer / 2
end

local said = NOTE ~= '' and cjson.decode(NOTE) or nil
local name = said and said.job ~= '' and get(said.job, 'name') or ''
local answer = act()
if said then
  local id = said.job
  if id == '' and type(answer[2]) == 'number' then id = answer[1] end
  if name == '' and id ~= '' then name = get(id, 'name') end
  redis.call('XADD', P .. 'audit', 'MAXLEN', '~', said.kept, '*', 'who', said.who, 'origin', said.origin,
    'address', said.address, 'act', said.act, 'what', id .. (name ~= '' and ' ' .. name or '') .. said.more,
    'result', result_of(answer))
end
return answer

-- create: new jobs, or for each the id of one that has or had the same spec.
-- writes  job:<id>  jobs  state:*  name:<name>  names  spec:<spec_id>  suffixes  campaign:*  campaigns  ready:*  bells  followers:*
-- ARGV: again ('1'), campaign ('' none), then for each job: id, spec_id, number of parts, field, value, ...
-- One with the field held_by is held by the campaign (see keep). A job that was there joins the campaign. One of the campaign itself counts whatever its state: a cell that failed
-- is not queued anew because its campaign is submitted once more.
-- Returns {id, created 0|1, ...}.
local again, campaign = ARGV[1] == '1', ARGV[2]
local LOOKED_AT = 100  -- the newest jobs of a spec

local function same(spec_id)
  for _, other in ipairs(redis.call('ZREVRANGE', P .. 'spec:' .. spec_id, 0, LOOKED_AT - 1)) do
    local state = get(other, 'state')
    if state ~= 'failed' and state ~= 'cancelled' and get(other, 'wish') ~= 'cancel' then return other end
    if campaign ~= '' and redis.call('ZSCORE', P .. 'campaign:' .. campaign, other) then return other end
  end
end

-- Who wants a job wholly, and not for a search, gets it wholly.
local function wanted_wholly(first, parts)
  for i = first, first + parts - 1, 2 do
    if ARGV[i] == 'rungs' then return false end
  end
  return true
end

local function note_rungs(id, first, parts)
  for i = first, first + parts - 1, 2 do
    if ARGV[i] == 'rungs' then set(id, 'rungs', ARGV[i + 1]) end
  end
end

local at, answer, i = stamp(now()), {}, 3
while i <= #ARGV do
  local id, spec_id, parts = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local known = redis.call('EXISTS', job(id)) == 1  -- the same call once more
  local found = not known and not again and same(spec_id)
  if found then
    join(found, campaign)
    if wanted_wholly(i + 3, parts) then lift(found)
    elseif get(found, 'rungs') == '' then note_rungs(found, i + 3, parts) end
  elseif not known then
    set(id, 'id', id, 'spec_id', spec_id, 'created', at, 'token', 0, 'attempts', 0, 'failures', 0,
      unpack(ARGV, i + 3, i + 2 + parts))
    register(id)
    join(id, campaign)
    if get(id, 'held_by') ~= '' then keep(id, campaign, get(id, 'after')) elseif get(id, 'opens') ~= '' then wait_until(id, get(id, 'opens'))
    else make_ready(id, '0') end
  end
  table.insert(answer, found or id)
  table.insert(answer, found and 0 or 1)
  i = i + 3 + parts
end
return answer

-- create: new jobs, or for each the id of one that has or had the same spec.
-- writes  schema  job:<id>  jobs  state:*  name:<name>  names  spec:<spec_id>  suffixes  campaign:*  campaigns  ready:*  bells  followers:*
-- ARGV: again ('1'), campaign ('' none), then for each job: id, spec_id, number of parts, field, value, ...
-- One with the field held_by is held by the campaign (see keep). A job that was there joins the campaign. One of
-- the campaign itself counts whatever its state: a cell that failed is not queued anew because its campaign is
-- submitted once more. One that is still held waits for what it is said to wait for now.
-- Where a user has a quota and would have more jobs queued or held than that, nothing is made at all.
-- Returns {id, created 0|1, ...}, or {'over', user, quota, how many he has, how many were to be made}.
local again, campaign = ARGV[1] == '1', ARGV[2]

-- What is said of a field of a job; nil where nothing is.
local function said(first, parts, field)
  for i = first, first + parts - 1, 2 do
    if ARGV[i] == field then return ARGV[i + 1] end
  end
end

-- A held one is held anew, or no longer: by its campaign, and by another one that lets nothing begin now.
local function hold_anew(id, first, parts)
  local keeper = get(id, 'held_by')
  if campaign == '' or keeper == '' then return end
  if keeper ~= campaign and redis.call('HGET', campaign_key(keeper, 'record'), 'state') == 'active' then return end
  let_go(id)
  if said(first, parts, 'held_by') then
    local after = said(first, parts, 'after') or ''
    set(id, 'after', after, 'message', said(first, parts, 'message') or '')
    keep(id, campaign, after)
  else
    set(id, 'after', '', 'message', '')
    make_ready(id, '0')
  end
end

-- The user who would have too many, and how many are to be made for him; a quota is looked for only where there is one.
local function over_its_quota()
  if redis.call('EXISTS', P .. 'quota:queued') == 0 then return nil end
  local wanted, seen, i = {}, {}, 3
  while i <= #ARGV do
    local id, spec_id, parts = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
    local user = said(i + 3, parts, 'user')
    if user and not (seen[spec_id] and not again) and is_new(id, spec_id, again, campaign) then
      wanted[user], seen[spec_id] = (wanted[user] or 0) + 1, true
    end
    i = i + 3 + parts
  end
  for user, number in pairs(wanted) do
    local over = over_for(user, number)
    if over then return over end
  end
end

local over = over_its_quota()
if over then return over end
note_schema()
local at, answer, i = stamp(now()), {}, 3
while i <= #ARGV do
  local id, spec_id, parts = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local known = redis.call('EXISTS', job(id)) == 1  -- the same call once more
  local found = not known and not again and same(spec_id, campaign)
  if found then
    join(found, campaign)
    local rungs = said(i + 3, parts, 'rungs')
    if not rungs then lift(found, said(i + 3, parts, 'held_by'), said(i + 3, parts, 'after') or '')
    elseif get(found, 'rungs') == '' then set(found, 'rungs', rungs) end
    hold_anew(found, i + 3, parts)
  elseif not known then
    set(id, 'id', id, 'schema', SCHEMA, 'spec_id', spec_id, 'created', at, 'token', 0, 'attempts', 0, 'failures', 0,
      unpack(ARGV, i + 3, i + 2 + parts))
    register(id)
    set(id, 'maker', campaign == '' and '-' or campaign)
    join(id, campaign)
    if get(id, 'held_by') ~= '' then keep(id, campaign, get(id, 'after')) elseif get(id, 'opens') ~= '' then wait_until(id, get(id, 'opens'))
    else make_ready(id, '0') end
  end
  table.insert(answer, found or id)
  table.insert(answer, found and 0 or 1)
  i = i + 3 + parts
end
return answer

-- restore: what Redis has lost is told again, by the owner of a running attempt or from a run folder. A record
-- that is not there is made. One that is older than the owner's token is from before a claim that Redis has
-- forgotten: the owner knows better, whatever its state, and takes it over. Any other stays as it is; of
-- two owners the one with the higher token has it for good, of two with the same token who claimed first.
-- writes  job:<id>  jobs  state:*  name:<name>  names  spec:<spec_id>  suffixes  ready:*  delayed  bells  leases
--         attempts:<id>  campaign:<name>:record
-- ARGV: id, 'owner'|'folder', lease (s), field, value, ... (state, token and what `create` sets among them;
--       finished where the state is final)
-- Returns {'made'|'taken'|'known'}.
local id, lease, given = ARGV[1], tonumber(ARGV[3]), {}
for i = 4, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
local token, state = redis.call('HGET', job(id), 'token'), given.state

if token then
  local forgotten = tonumber(given.token) > tonumber(token) or twin(id, given.token, given.claimed or '') == 'gone'
  if ARGV[2] ~= 'owner' or not forgotten then return {'known'} end
  unqueue(id)
  move(id, 'running')
  set(id, 'token', given.token, 'attempts', given.attempts, 'owner', given.owner,
    'claimed', given.claimed or '', 'host', given.host,
    'machine', '', 'front', '0', 'wish', '', 'export_only', '', 'reason', '', 'message', '', 'reaped', '', 'finished', '')
  if given.root_id then set(id, 'root_id', given.root_id, 'run_dir', given.run_dir) end
  if given.seq and is_newer(id, given.seq_token, tonumber(given.seq)) then
    set_published(id, given.seq_token, given.seq, given.saved_iteration)
  end
  hold(id, lease)
  begin_attempt(id)
  return {'taken'}
end

note_schema()
set(id, 'id', id, 'reaped', '', unpack(ARGV, 4))
set(id, 'schema', SCHEMA)
register(id)
spend_of_budgets(id, number_of(id, 'spent_s'), number_of(id, 'spent_kwh'))
if state == 'running' then
  move(id, state)
  hold(id, lease)
  begin_attempt(id)
elseif state == 'queued' then
  make_ready(id, given.front)
elseif state == 'held' then
  delay(id, state, 0)
else
  park(id, state, given.finished ~= nil)
  if given.finished then set(id, 'finished', given.finished) end
end
return {'made'}

-- publish_upload: a checkpoint is in the remote folder, where workers elsewhere find it. (token, seq) only grows.
-- writes  job:<id>
-- ARGV: id, token of the holder, seq, token of the checkpoint, iteration
-- Returns {'ok'}, {'lost'} where the job has another token by now, {'gone'} where there is no such job.
local id, token, seq, its = ARGV[1], redis.call('HGET', job(ARGV[1]), 'token'), tonumber(ARGV[3]), tonumber(ARGV[4])
if not token then return {'gone'} end
if token ~= ARGV[2] then return {'lost'} end
local known = number_of(id, 'remote_token')
if its > known or (its == known and seq > (tonumber(get(id, 'remote_seq')) or -1)) then
  set(id, 'remote_seq', seq, 'remote_token', its, 'remote_iteration', ARGV[5])
end
return {'ok'}

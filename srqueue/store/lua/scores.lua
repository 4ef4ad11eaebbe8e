-- scores: what the exported model of a job makes of each validation picture; it stays as long as the record.
-- writes  scores:<id>
-- ARGV: id, token, the scores (zlib)   Returns {standing}.
local how = standing(ARGV[1], ARGV[2])
if how == 'ok' then redis.call('SET', P .. 'scores:' .. ARGV[1], ARGV[3]) end
return {how}

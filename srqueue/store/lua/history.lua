-- history: event lines that Redis has lost, of a job that was restored from its run folder.
-- reads   job:<id>
-- writes  events:<id>
-- ARGV: id, bound, line...   Returns {'ok'|'gone'}.
if get(ARGV[1], 'state') == '' then return {'gone'} end
for i = 3, #ARGV do
  redis.call('XADD', P .. 'events:' .. ARGV[1], 'MAXLEN', '~', ARGV[2], '*', 'line', ARGV[i])
end
return {'ok'}

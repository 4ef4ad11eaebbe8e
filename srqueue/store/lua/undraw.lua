-- undraw: who drew cells for a campaign has ended.
-- writes  campaign:<name>:drawing
-- ARGV: the key, token
if redis.call('GET', ARGV[1]) == ARGV[2] then redis.call('DEL', ARGV[1]) end
return {}

-- wrk -s wrk.lua URL -- REQUESTS: sends the prepared requests of a file in turn (each a 32-bit little-endian length and bytes).
-- Every thread starts elsewhere in the list, so that two do not send the same one at the same time.
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end
function init(args)
  requests = {}
  local file = assert(io.open(args[1], "rb"))
  while true do
    local head = file:read(4)
    if not head then break end
    local a, b, c, d = head:byte(1, 4)
    requests[#requests + 1] = file:read(a + b * 256 + c * 65536 + d * 16777216)
  end
  file:close()
  at = id * 37
end
function request()
  at = at + 1
  return requests[(at - 1) % #requests + 1]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"perSecond":%f,"p50Us":%f,"p99Us":%f,"failedCount":%d,"requestCount":%d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99),
    e.status + e.connect + e.read + e.write + e.timeout, summary.requests))
end

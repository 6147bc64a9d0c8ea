-- For wrk: posts the body in the file BODY, with what HEADERS says ("name: value", one a line), over and over;
-- or gets the paths in the file PATHS, a line each, one after the other.
local function read(name)
  local path = os.getenv(name)
  if not path then return nil end
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local body, paths = read("BODY"), {}
if body then
  wrk.method, wrk.body = "POST", body
end
for name, value in (os.getenv("HEADERS") or ""):gmatch("([%w-]+): ([^\n]+)") do
  wrk.headers[name] = value
end
for path in (read("PATHS") or ""):gmatch("[^\n]+") do
  paths[#paths + 1] = path
end

local next_path = 0
if #paths > 0 then
  function request()
    next_path = next_path % #paths + 1
    return wrk.format("GET", paths[next_path])
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "refused": %d, "lost": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

-- For wrk: posts the JSON in a file, and prints as its last line what came of it, as JSON.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  for position = 2, #args do
    local name, value = args[position]:match("^(.-): (.*)$")
    wrk.headers[name] = value
  end
  wrk.body = file:read("*a")
  file:close()
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "microseconds": %d, "p50_us": %.0f, "p99_us": %.0f, "bad_status": %d, "unanswered": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

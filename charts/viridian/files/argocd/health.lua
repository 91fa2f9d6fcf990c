-- The health of a ModelDeployment, from its conditions, in the order in which kstatus reads them.
-- Argo CD gives health checks no library but table: no string, no math.

-- Conditions that speak of the spec as it is now. An error that keeps the operator from reading a spec is told in
-- conditions of the new generation while the rest of the status still speaks of the old one.
local current = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.observedGeneration == obj.metadata.generation then
      current[condition.type] = condition
    end
  end
end

local function health(status, condition)
  return { status = status, message = condition.reason .. ": " .. condition.message }
end

local function holds(kind)
  return current[kind] ~= nil and current[kind].status == "True"
end

if holds("Stalled") then -- rolled back, expired, or stuck until somebody acts
  return health("Degraded", current.Stalled)
end
if holds("Reconciling") then
  local reason = current.Reconciling.reason
  local waits = reason == "AwaitingApproval" or reason == "Paused"
  return health(waits and "Suspended" or "Progressing", current.Reconciling)
end
if current.Ready ~= nil then
  return health(holds("Ready") and "Healthy" or "Progressing", current.Ready)
end
return {
  status = "Progressing",
  message = "The operator has not seen this version of the spec yet: if that lasts, check that it runs",
}

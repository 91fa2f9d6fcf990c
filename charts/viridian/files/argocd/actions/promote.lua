local command = "promote/" .. obj.status.candidate.revision

-- Argo CD has no random numbers. The resourceVersion is another one after each change, so a second click on what has not
-- changed gives the same command, which is obeyed once.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["viridian.dev/command"] = command .. "/argocd-" .. obj.metadata.resourceVersion
obj.metadata.annotations["viridian.dev/command-by"] = "system:serviceaccount:argocd:argocd-server"
return obj

# shellcheck shell=bash
# For your own shell: `. dev/env.sh` points kubectl, helm and kind at the local cluster. Changes KUBECONFIG and PATH, nothing else.
# shellcheck disable=SC2016  # for the other shell, where the rest of the settings stays
eval "$(bash -c '. "$(dirname "$1")/settings.sh" && printf "export KUBECONFIG=%q PATH=%q" "$KUBECONFIG" "$PATH"' _ "${BASH_SOURCE[0]:-$0}")"

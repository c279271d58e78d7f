# shellcheck shell=bash
# Finds the processes that a test run has left behind. Sourced, never run.
#
# Every process that a test starts inherits the run's variable, whoever its parent is by now. The environment that /proc
# shows is that of a process' start, so the shell which exports the variable is not found itself.

export IP_MASQ_AGENT_TEST_RUN="$$-$(date +%s%N)"
# Seconds that a process has to end by itself.
leftovers_patience=5

# end_leftovers WHAT: fails where WHAT has left processes behind; says which, and ends them.
end_leftovers() {
  local file pid tries left=()
  for ((tries = 0; tries <= leftovers_patience * 10; tries++)); do
    mapfile -t left < <(env --unset=IP_MASQ_AGENT_TEST_RUN grep --files-with-matches --null-data --no-messages \
      --fixed-strings --line-regexp "IP_MASQ_AGENT_TEST_RUN=$IP_MASQ_AGENT_TEST_RUN" /proc/[0-9]*/environ)
    [ ${#left[@]} -gt 0 ] || return 0
    sleep 0.1
  done
  printf 'error: %s has left processes behind:\n' "$1" >&2
  for file in "${left[@]}"; do
    pid=${file//[!0-9]/}
    {
      # A word that ends in a zero byte each; the parent 1 tells that the process was orphaned.
      read -r -d '' _ _ _ parent _ <"/proc/$pid/stat" || true
      printf '  pid %s, parent %s, %s: %s\n' "$pid" "$parent" "$(readlink "/proc/$pid/ns/net")" \
        "$(tr '\0' ' ' <"/proc/$pid/cmdline")" >&3
      kill -KILL "$pid"
    } 3>&2 2>/dev/null || true
  done
  return 1
}

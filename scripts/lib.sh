# Sourced by the scripts of this repository: messages, and long steps that keep quiet but show that they move.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs

if [[ -t 1 && ${TERM:-dumb} != dumb && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' yellow='' plain=''
fi
# shellcheck disable=SC2034  # for those who source this file
readonly root logs bold dim red green yellow plain

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
die() {
  printf '%s%s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# 75 -> 1:15
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# The command as one would type it.
typed() {
  local word out=''
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./=:,+@%-]* | '') out+=" '${word//\'/\'\\\'\'}'" ;;
      *) out+=" $word" ;;
    esac
  done
  printf '%s' "${out# }"
}

# show COMMAND...: prints the command, then runs it.
show() {
  printf '%s$ %s%s\n' "$dim" "$(typed "$@")" "$plain"
  "$@"
}

# The last "[12/345]" that a build printed, or nothing.
build_position() { tail -c 2000 "$1" 2>/dev/null | grep -aoE '^\[[0-9]+/[0-9]+\]' | tail -1 || true; }

# Shows time and position of a step until it is ended: in place on a terminal, else a line each minute.
tick() {
  local label=$1 log=$2 start=$SECONDS passed
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    passed=$((SECONDS - start))
    if [[ -t 1 ]]; then
      printf '\r%s … %s %s \e[K' "$label" "$(clock $passed)" "$(build_position "$log")"
    elif ((passed % 60 == 0)); then
      printf '%s … %s %s\n' "$label" "$(clock $passed)" "$(build_position "$log")"
    fi
  done
}

# quietly LABEL LOG COMMAND...: runs the command with its output in LOG. If it fails, shows the end of LOG and returns its status.
quietly() {
  local label=$1 log=$2 start=$SECONDS status=0 ticker
  shift 2
  mkdir -p "$(dirname "$log")"
  : >"$log"
  tick "$label" "$log" &
  ticker=$!
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  [[ ! -t 1 ]] || printf '\r\e[K'
  if ((status == 0)); then
    printf '%s %s(%s)%s\n' "$label" "$dim" "$(clock $((SECONDS - start)))" "$plain"
  else
    printf '%s%s: failed with status %d after %s; the end of %s:%s\n' \
      "$red" "$label" "$status" "$(clock $((SECONDS - start)))" "${log#"$root"/}" "$plain"
    tail -n 40 "$log" | sed 's/^/  | /'
  fi
  return "$status"
}

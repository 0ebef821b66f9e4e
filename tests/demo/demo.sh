# What the environment offers holds an API key and an M2M client: each API gets the credential that
# it takes.
set -eu

row() {
    printf '%-8s %-26s %-22s %s\n' command "$1" "$2" "$3"
}

# request HEADER URL: prints the HTTP status. The header goes by standard input, because every user
# sees arguments.
request() {
    printf '%s\n' "$1" | curl -sS -o /dev/null -w '%{http_code}' -H @- "$2"
}

call() {
    header=$(planetkey header "$2")
    case $header in
    'Authorization: Basic '*) credential='api_key (basic)' ;;
    'Authorization: Bearer '*) credential='access_token (bearer)' ;;
    *) credential=unknown ;;
    esac
    row "$1" "$credential" "$(request "$header" "$2")"
}

# refuse API URL OPTION...: an API key alone must not get a header for this URL. If it does, the
# request is made, and counted.
refuse() {
    api=$1
    url=$2
    shift 2
    code=0
    header=$(printf '%s\n' "$PL_API_KEY" | planetkey --auth-api-key-file - "$@" header "$url" 2>/dev/null) || code=$?
    case $code in
    0) request "$header" "$url" >&2; result=OK ;;
    5) result=HOST_REFUSED ;;
    *) result="code $code" ;;
    esac
    row "$api" 'api_key alone' "$result"
}

sentinel_hub_api=$PLANETKEY_SIMULATOR_SENTINEL_HUB_API/api/v1/catalog/1.0.0/
call 'planet api' "$PLANETKEY_SIMULATOR_PLANET_API/basemaps/v1/mosaics"
call 'sentinel hub api' "$sentinel_hub_api"
refuse 'sentinel hub api' "$sentinel_hub_api" --allow-insecure-loopback
refuse services.sentinel-hub.com https://services.sentinel-hub.com/api/v1/catalog/1.0.0/ --deployment planet

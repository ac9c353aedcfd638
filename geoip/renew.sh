#!/bin/sh
# Renews geoip/default.mmdb.xz and geoip/sources.tsv from the two public packages of address tables.
# Needs npm (fetches the packages by name), tar and a built farmhawk. Usage: geoip/renew.sh [farmhawk binary]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
farmhawk=${1:-farmhawk}
countries='@ip-location-db/geo-whois-asn-country'
networks='@ip-location-db/asn'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"

# The packages' versions end in the hour of their data: 2.3.2026061719 is 17 June 2026, 19 h.
fetch() {
    npm pack --silent "$1" >archive
    mkdir "$2"
    tar -xzf "$(cat archive)" -C "$2" --strip-components=1
    sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$2/package.json" | head -n 1 >"$2/version"
    sed 's/.*\.\(....\)\(..\)\(..\)..$/\1-\2-\3/' "$2/version" >"$2/date"
}
fetch "$countries" countries
fetch "$networks" networks
countries_version=$(cat countries/version)
networks_version=$(cat networks/version)
date=$(cat countries/date networks/date | sort | tail -n 1)

"$farmhawk" geoip build \
    --country countries/geo-whois-asn-country-ipv4.csv --country countries/geo-whois-asn-country-ipv6.csv \
    --asn networks/asn-ipv4.csv --asn networks/asn-ipv6.csv \
    --date "$date" \
    --description "countries: $countries $countries_version, networks: $networks $networks_version" \
    --out default.mmdb.xz

# The new versions and dates go into the list; what was taken, licences and thanks stay: read them in the packages first.
awk -F '\t' -v OFS='\t' \
    -v countries="$countries" -v countries_version="$countries_version" -v countries_date="$(cat countries/date)" \
    -v networks="$networks" -v networks_version="$networks_version" -v networks_date="$(cat networks/date)" '
    $1 == countries { $2 = countries_version; $3 = countries_date }
    $1 == networks { $2 = networks_version; $3 = networks_date }
    { print }' "$here/sources.tsv" >sources.tsv

mv default.mmdb.xz sources.tsv "$here/"
echo "renewed; compare the licence files of both packages with geoip/README.md:"
cat countries/*LICENSE* networks/*LICENSE*

#!/bin/sh
# Requires how much of the code the tests run, branches included. The arguments are those that chose
# among the tests: a choice runs less, and nothing is required of it.
if [ $# -gt 0 ]; then
    echo "sixproof: coverage is not judged, for not all tests were run"
    exit 0
fi
coverage combine --quiet || exit
short=
require() {
    if total=$(coverage report --include="$2" --format=total --fail-under="$1"); then
        echo "sixproof: $total % of $2 covered, $1 % required"
    else
        coverage report --include="$2" --fail-under="$1"
        short="$short $2"
    fi
}
require 100 "sixproof/model/*"
require 100 "sixproof/policy/*"
require 95 "sixproof/checks/*"
require 95 "sixproof/*"
require 90 "fixtures/*"
[ -z "$short" ] && exit 0
echo "sixproof: too little is covered of$short"
exit 1
